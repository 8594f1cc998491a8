// The console: keys for people.

import "./styles/theme.css";
import "./styles/base.css";
import App from "./app/App.svelte";
import { mount } from "svelte";

const target = document.getElementById("app");
if (target) mount(App, { target });

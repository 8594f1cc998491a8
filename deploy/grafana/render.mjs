#!/usr/bin/env node
// Draws the dashboards without Grafana: asks a Prometheus for what each panel shows, and has Chromium make a picture of it.
//
//   deploy/grafana/render.mjs --prometheus http://127.0.0.1:9090 --out docs/images [--minutes 10] [--only portcullis-traffic]
//
// The pictures of the documentation are made so. They have the panels, queries, units and legends of the JSON files, in a
// look of their own: Grafana's differs. Needs Node.js 20, Chromium, and the console's packages (`make console`) for uPlot.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));
const { values: options } = parseArgs({
  options: {
    prometheus: { type: 'string', default: 'http://127.0.0.1:9090' },
    out: { type: 'string', default: join(here, '../../docs/images') },
    minutes: { type: 'string', default: '10' },
    only: { type: 'string' },
    chromium: { type: 'string', default: 'chromium' },
  },
});
const WIDTH = 1400;
const ROW = 34;
const uplot = join(here, '../../console/node_modules/uplot/dist');
const end = Math.floor(Date.now() / 1000);
const start = end - Number(options.minutes) * 60;
const step = Math.max(1, Math.round((end - start) / 240));

const VARIABLES = { $__rate_interval: '30s', $instance: '.*', $upstream: '.*', $api: '.*', $job: 'portcullis' };
const filled = (query) => Object.entries(VARIABLES).reduce((text, [name, value]) => text.replaceAll(name, value), query);
const legend = (format, labels) => format.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, name) => labels[name] ?? '');

async function ask(path, parameters) {
  const answer = await fetch(`${options.prometheus}/api/v1/${path}?${new URLSearchParams(parameters)}`);
  const { status, data, error } = await answer.json();
  if (status !== 'success') throw new Error(`${parameters.query}: ${error}`);
  return data.result;
}

// What a panel's queries give, each series with its name.
async function asked(panel) {
  const found = [];
  for (const target of panel.targets ?? []) {
    const query = filled(target.expr);
    const series = target.instant
      ? await ask('query', { query, time: end })
      : await ask('query_range', { query, start, end, step });
    for (const it of series) {
      const points = (it.values ?? [it.value]).map(([at, value]) => [Number(at), Number(value)]);
      found.push({ name: legend(target.legendFormat, it.metric), labels: it.metric, points });
    }
  }
  return found;
}

async function draw(file) {
  const dashboard = JSON.parse(readFileSync(join(here, 'dashboards', file), 'utf8'));
  const panels = [];
  for (const panel of dashboard.panels) panels.push({ ...panel, series: await asked(panel) });
  const rows = Math.max(...panels.map((panel) => panel.gridPos.y + panel.gridPos.h));
  const data = { title: dashboard.title, description: dashboard.description, panels, start, end, step, row: ROW, width: WIDTH };
  const page = readFileSync(join(here, 'render.html'), 'utf8')
    .replace('/* uplot.css */', () => readFileSync(join(uplot, 'uPlot.min.css'), 'utf8'))
    .replace('/* uplot.js */', () => readFileSync(join(uplot, 'uPlot.iife.min.js'), 'utf8'))
    .replace('/* data */', () => `const DATA = ${JSON.stringify(data).replaceAll('<', '\\u003c')};`);
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-render-'));
  try {
    writeFileSync(join(folder, 'page.html'), page);
    const picture = join(options.out, file.replace('.json', '.png').replace('portcullis-', 'dashboard-'));
    const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--force-device-scale-factor=1'];
    const more = [`--user-data-dir=${join(folder, 'profile')}`, `--window-size=${WIDTH},${rows * ROW + 86}`];
    execFileSync(options.chromium, [...flags, ...more, `--screenshot=${picture}`, join(folder, 'page.html')], { stdio: 'ignore', timeout: 120_000 });
    console.log(picture);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const files = readdirSync(join(here, 'dashboards')).filter((file) => !options.only || file === `${options.only}.json`);
for (const file of files.sort()) await draw(file);

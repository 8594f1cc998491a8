// Webhooks: a signing secret that is shown once, a test event that arrives and is genuine, the delivery log, and once more.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";

/** Endpoints of an organization. */
const MOST = 20;

export default async function (browser) {
  const receiver = await Receiver.start();
  try {
    await told(browser, receiver);
  } finally {
    receiver.stop();
  }
}

async function told(browser, receiver) {
  const owner = await browser.person("owner", "/o/northwind/webhooks");
  await owner.see("No webhooks yet");
  await owner.look("webhooks-none");
  await owner.page.locator("header").getByRole("link", { name: "New Webhook" }).click();
  await owner.heading("New Webhook");
  const make = owner.get("button", "Make the webhook");

  await owner.fill("Address", "not an address");
  await owner.page.keyboard.press("Tab");
  await owner.see("This is no address: it begins with https://.");
  assert.ok(await make.isDisabled());
  await owner.look("webhook-new");
  // Only listed networks are sent to without TLS.
  owner.expectRefusal(400, /\/webhook-endpoints$/);
  await owner.fill("Address", "http://192.0.2.1/hooks");
  await make.click();
  await owner.page.getByRole("alert").first().waitFor();
  await owner.look("webhook-refused");

  await owner.fill("Address", receiver.url);
  await owner.page.getByLabel(/^Description/).fill("Tells the warehouse");
  await make.click();
  await owner.page.getByRole("heading", { name: "Keep the signing secret now" }).waitFor();
  const secret = await owner.page.locator("code", { hasText: "whsec_" }).innerText();
  await owner.look("webhook-secret");
  const first = await receiver.next();
  assert.equal(JSON.parse(first.body).type, "webhook.test");
  receiver.assertGenuine(first, secret);

  await owner.page.getByRole("navigation", { name: "Organization" }).getByRole("link", { name: "Projects" }).click();
  await owner.page.getByRole("dialog").getByText("You have not copied it.").waitFor();
  await owner.page.getByRole("dialog").getByRole("button", { name: "Stay" }).click();
  await owner.click("button", "I have kept it");
  await owner.heading("Webhook");
  assert.ok(!(await owner.page.content()).includes("whsec_"), "it is shown once");
  await owner.page.getByRole("row", { name: /webhook\.test/ }).first().waitFor();
  await owner.look("webhook");

  await owner.click("button", "Send a test event");
  await owner.see("A test event is on its way.");
  receiver.assertGenuine(await receiver.next(), secret);

  // Something happens, and the receiver is not well.
  receiver.status = 500;
  const here = (await owner.api("GET", "/api/org", { slug: "northwind" })).id;
  const body = { name: "Told of", type: "organization", permissions: ["read"], scopes: ["documents"] };
  await owner.api("POST", `/api/v1/organizations/${here}/api-tokens`, { body, status: 201 });
  await receiver.next();
  await owner.click("button", "Refresh");
  await owner.page.getByRole("row", { name: /token\.created/ }).getByRole("link").click();
  await owner.heading("token.created");
  await owner.page.getByRole("table", { name: "Attempts" }).getByText("500").waitFor();
  await owner.look("delivery-pending");

  // It is well again, and gets what it missed.
  receiver.status = 204;
  await owner.click("button", "Replay");
  await owner.see("It is sent once more: this is that delivery.");
  const again = await receiver.next();
  receiver.assertGenuine(again, secret);
  await owner.page.getByRole("table", { name: "Attempts" }).getByText("204").waitFor();

  await owner.page.getByRole("link", { name: "the webhook" }).click();
  await owner.heading("Webhook");
  await owner.click("button", "Deactivate");
  await owner.see("Nothing is sent there any more.");
  // What is switched off is sent nothing, whoever asks.
  owner.expectRefusal(409, /\/replay$/);
  await owner.page.getByRole("row", { name: /token\.created/ }).getByRole("link").first().click();
  await owner.click("button", "Replay");
  await owner.see("The webhook endpoint is switched off. Switch it on first.");
  await owner.look("delivery-refused");
  await owner.page.getByRole("link", { name: "the webhook" }).click();
  await owner.click("button", "Activate");
  await owner.see("Events are sent there again.");
  await owner.click("button", "Delete webhook");
  await owner.look("webhook-delete");
  await owner.page.getByRole("dialog").getByRole("button", { name: "Delete webhook" }).click();
  await owner.heading("Webhooks");
  await owner.see("No webhooks yet");

  // There is an end to how many there are.
  const hook = { url: receiver.url, events: ["token.deleted"] };
  for (let made = 0; made < MOST; made += 1) {
    await owner.api("POST", `/api/v1/organizations/${here}/webhook-endpoints`, { body: hook, status: 201 });
  }
  owner.expectRefusal(409, /\/webhook-endpoints$/);
  await owner.open("/o/northwind/webhooks/new");
  await owner.fill("Address", receiver.url);
  await make.click();
  await owner.see(`An organization has at most ${MOST} webhook endpoints.`);
  await owner.look("webhook-too-many");

  const viewer = await browser.nobody();
  await viewer.begin("viewer");
  viewer.expectRefusal(403, /\/webhook-/);
  await viewer.open("/o/northwind/webhooks");
  await viewer.page.getByRole("alert").first().waitFor();
  await viewer.look("webhooks-refused");
}

/** A program that is told. */
class Receiver {
  status = 200;
  #server;
  #came = [];
  #waiting = [];

  static async start() {
    const receiver = new Receiver();
    receiver.#server = createServer((request, response) => {
      let body = "";
      request.on("data", (part) => (body += part));
      request.on("end", () => {
        response.writeHead(receiver.status).end();
        const hook = { headers: request.headers, body };
        const waiting = receiver.#waiting.shift();
        if (waiting) waiting(hook);
        else receiver.#came.push(hook);
      });
    });
    await new Promise((done) => receiver.#server.listen(0, "127.0.0.1", done));
    return receiver;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}/hooks`;
  }

  /** What comes next. */
  next() {
    const came = this.#came.shift();
    if (came) return came;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("no webhook came")), 20_000);
      this.#waiting.push((hook) => {
        clearTimeout(late);
        resolve(hook);
      });
    });
  }

  assertGenuine({ headers, body }, secret) {
    const key = Buffer.from(secret.replace("whsec_", ""), "base64");
    const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
    const tag = createHmac("sha256", key).update(signed).digest("base64");
    assert.equal(headers["webhook-signature"], `v1,${tag}`);
  }

  stop() {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

"use strict";
// What the scripts share: a table of cases is run one by one, and what each gave is printed.

const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

const environment = {
  baseURL: process.env.BASE_URL,
  key: process.env.KEY,
  limitedKey: process.env.LIMITED_KEY,
  narrowKey: process.env.NARROW_KEY,
};

const tools = ["get_weather", "get_time"];
const parameters = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer" } },
  required: ["city"],
};

/** The name of a model of the upstream's protocol. */
function model(name) {
  return `${process.env.PROTOCOL}-${name}`;
}

async function run(sdk, cases) {
  const results = {};
  for (const [name, ask] of Object.entries(cases)) {
    try {
      results[name] = await ask();
    } catch (error) {
      results[name] = describe(sdk, error);
    }
  }
  process.stdout.write(JSON.stringify(results));
}

/** An error by the SDK's own classes that it is an instance of. */
function describe(sdk, error) {
  const kinds = Object.entries(sdk).filter(
    ([, kind]) => typeof kind === "function" && kind.prototype && error instanceof kind,
  );
  return {
    raised: kinds.map(([name]) => name),
    status: error.status,
    code: error.code,
    type: error.type,
    requestID: error.requestID,
    message: String(error.message),
  };
}

/** What a stream gave before it raised. */
async function drain(stream, wordOf) {
  const words = [];
  try {
    for await (const event of stream) {
      words.push(wordOf(event) ?? "");
    }
  } catch (error) {
    return { text: words.join(""), error };
  }
  return { text: words.join("") };
}

module.exports = { PNG, describe, drain, environment, model, parameters, run, tools };

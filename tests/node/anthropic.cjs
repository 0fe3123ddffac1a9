"use strict";
// The official `@anthropic-ai/sdk` package for Node, unmodified.

const sdk = require("@anthropic-ai/sdk");
const { betaTool } = require("@anthropic-ai/sdk/helpers/beta/json-schema");
const { PNG, describe, drain, environment, model, parameters, run, tools } = require("./cases.cjs");

const { baseURL } = environment;
const open = (apiKey) => new sdk.Anthropic({ apiKey, baseURL, maxRetries: 0 });
const client = open(environment.key);
const hello = [{ role: "user", content: "hello" }];
const callBoth = [{ role: "user", content: "call:get_weather,get_time" }];
const declared = tools.map((name) => ({ name, input_schema: parameters }));
const thinking = { type: "enabled", budget_tokens: 1024 };
const wordOf = (event) => event.delta?.text;
const textOf = (message) => message.content.find((block) => block.type === "text")?.text;
const thoughtsOf = (message) =>
  message.content.find((block) => block.type === "thinking")?.thinking ?? "";

const ask = (name, options = {}, by = client) =>
  by.messages.create({ model: model(name), max_tokens: 4000, messages: hello, ...options });

/** Calls of tools go out, their results come back: the first answer and the second. */
async function loop(name, stream, options = {}) {
  const say = (messages) => {
    const asked = { model: model(name), max_tokens: 4000, messages, tools: declared, ...options };
    return stream ? client.messages.stream(asked).finalMessage() : client.messages.create(asked);
  };
  const first = await say(callBoth);
  const calls = first.content.filter((block) => block.type === "tool_use");
  const results = calls.map((call) => ({
    type: "tool_result",
    tool_use_id: call.id,
    content: "22 °C",
  }));
  const second = await say([
    ...callBoth,
    { role: "assistant", content: first.content },
    { role: "user", content: results },
  ]);
  return {
    calls: calls.map((call) => [call.name, JSON.stringify(call.input)]),
    stopped: [first.stop_reason, second.stop_reason],
    thoughts: [thoughtsOf(first), thoughtsOf(second)],
    text: textOf(second),
  };
}

function seen(message) {
  const { input_tokens: input, output_tokens: output } = message.usage;
  const { model: name, stop_reason: stopped } = message;
  return { model: name, text: textOf(message), stopped, input, output };
}

async function breaking() {
  const { text, error } = await drain(await ask("breaking-anthropic", { stream: true }), wordOf);
  return { text, ...describe(sdk, error) };
}

run(sdk, {
  chat: async () => seen(await ask("chat")),
  headers: async () => {
    const { response, request_id: id } = await ask("chat").withResponse();
    return { id, reference: response.headers.get("x-sluice-request") };
  },
  stream: async () => {
    const asked = { model: model("chat"), max_tokens: 100, messages: hello };
    return seen(await client.messages.stream(asked).finalMessage());
  },
  tools: () => loop("chat", false),
  toolsStreamed: () => loop("chat", true),
  thinking: () => loop("thinker", false, { thinking }),
  thinkingStreamed: () => loop("thinker", true, { thinking }),
  runner: async () => {
    const run = ({ city }) => `22 °C in ${city}`;
    const described = { name: tools[0], description: "what it is", inputSchema: parameters };
    const final = await client.beta.messages.toolRunner({
      model: model("chat"),
      max_tokens: 500,
      messages: [{ role: "user", content: "call:get_weather" }],
      tools: [betaTool({ ...described, run })],
    });
    return textOf(final);
  },
  image: async () => {
    const source = { type: "base64", media_type: "image/png", data: PNG };
    const content = [
      { type: "image", source },
      { type: "text", text: "hello" },
    ];
    return seen(await ask("chat", { messages: [{ role: "user", content }] }));
  },
  counted: async () => {
    const counted = await client.messages.countTokens({ model: model("chat"), messages: hello });
    return counted.input_tokens;
  },
  models: async () => {
    const found = [];
    for await (const listed of client.models.list()) found.push(listed.id);
    return { found, one: (await client.models.retrieve(model("chat"))).id };
  },
  invalid: () => ask("chat", { messages: [] }),
  unauthenticated: () => ask("chat", {}, open("llm-nobody")),
  denied: () => ask("chat", {}, open(environment.narrowKey)),
  unknown: () => ask("nope"),
  limited: async () => {
    await ask("chat", {}, open(environment.limitedKey));
    return ask("chat", {}, open(environment.limitedKey));
  },
  limitedThere: () => ask("limited-anthropic"),
  tooLong: () => ask("too-long"),
  broken: () => ask("broken-anthropic"),
  deserted: () => ask("deserted"),
  silent: () => ask("silent-anthropic"),
  breaking,
});

"use strict";
// The official `openai` package for Node, unmodified.

const sdk = require("openai");
const { PNG, describe, drain, environment, model, parameters, run, tools } = require("./cases.cjs");

const baseURL = `${environment.baseURL}/v1`;
const open = (apiKey) => new sdk.OpenAI({ apiKey, baseURL, maxRetries: 0 });
const client = open(environment.key);
const hello = [{ role: "user", content: "hello" }];
const callBoth = [{ role: "user", content: "call:get_weather,get_time" }];
const functions = tools.map((name) => ({ type: "function", function: { name, parameters } }));
const wordOf = (chunk) => chunk.choices[0]?.delta.content;

const ask = (name, options = {}, by = client) =>
  by.chat.completions.create({ model: model(name), messages: hello, ...options });

/** Calls of tools go out, their results come back: the first answer and the second. */
async function loop(name, stream, options = {}) {
  const thoughts = [];
  const say = async (messages) => {
    const asked = { model: model(name), messages, tools: functions, ...options };
    if (!stream) {
      const [choice] = (await client.chat.completions.create(asked)).choices;
      thoughts.push(choice.message.reasoning_content ?? "");
      return choice;
    }
    // The SDK collects everything but thoughts, which are no part of its dialect.
    const pieces = [];
    const events = client.chat.completions.stream(asked);
    events.on("chunk", (chunk) => pieces.push(chunk.choices[0]?.delta.reasoning_content ?? ""));
    const [choice] = (await events.finalChatCompletion()).choices;
    thoughts.push(pieces.join(""));
    return choice;
  };
  const first = await say(callBoth);
  const results = first.message.tool_calls.map((call) => ({
    role: "tool",
    tool_call_id: call.id,
    content: "22 °C",
  }));
  const second = await say([...callBoth, first.message, ...results]);
  return {
    calls: first.message.tool_calls.map((call) => [call.function.name, call.function.arguments]),
    stopped: [first.finish_reason, second.finish_reason],
    thoughts,
    text: second.message.content,
  };
}

async function breaking() {
  const { text, error } = await drain(await ask("breaking-openai", { stream: true }), wordOf);
  return { text, ...describe(sdk, error) };
}

run(sdk, {
  chat: async () => {
    const answer = await ask("chat");
    const { prompt_tokens: input, completion_tokens: output } = answer.usage;
    const [{ message, finish_reason: stopped }] = answer.choices;
    return { model: answer.model, text: message.content, stopped, input, output };
  },
  headers: async () => {
    const { response, request_id: id } = await ask("chat").withResponse();
    return { id, reference: response.headers.get("x-sluice-request") };
  },
  stream: async () => {
    const options = { stream: true, stream_options: { include_usage: true } };
    const chunks = [];
    for await (const chunk of await ask("chat", options)) chunks.push(chunk);
    const { prompt_tokens: input, completion_tokens: output } = chunks.at(-1).usage;
    const text = chunks.map(wordOf).join("");
    const ends = chunks.map((chunk) => chunk.choices[0]?.finish_reason).filter(Boolean);
    return { model: chunks[0].model, text, stopped: ends.at(-1), input, output };
  },
  tools: () => loop("chat", false),
  toolsStreamed: () => loop("chat", true),
  thinking: () => loop("thinker", false, { reasoning_effort: "low" }),
  thinkingStreamed: () => loop("thinker", true, { reasoning_effort: "low" }),
  runner: async () => {
    const run = ({ city }) => `22 °C in ${city}`;
    const described = { name: tools[0], description: "what it is", parameters };
    const running = client.chat.completions.runTools({
      model: model("chat"),
      messages: [{ role: "user", content: "call:get_weather" }],
      tools: [{ type: "function", function: { ...described, function: run, parse: JSON.parse } }],
    });
    return running.finalContent();
  },
  image: async () => {
    const image = { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } };
    const content = [image, { type: "text", text: "hello" }];
    const answer = await ask("chat", { messages: [{ role: "user", content }] });
    return { text: answer.choices[0].message.content, input: answer.usage.prompt_tokens };
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
  limitedThere: () => ask("limited-openai"),
  tooLong: () => ask("too-long"),
  broken: () => ask("broken-openai"),
  deserted: () => ask("deserted"),
  silent: () => ask("silent-openai"),
  breaking,
});

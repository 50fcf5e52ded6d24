import { expect, it } from "vitest";
import { parseReply } from "./approve.js";

it.each([
  ["o", { reply: "once" }],
  [" Once ", { reply: "once" }],
  ["a", { reply: "always" }],
  ["r", { reply: "reject" }],
  ["reject use the other one", { reply: "reject", message: "use the other one" }],
  ["", undefined],
  ["yes", undefined],
  ["on", undefined],
])("takes %j for an answer, or asks again", (typed, reply) => {
  expect(parseReply(typed)).toEqual(reply);
});

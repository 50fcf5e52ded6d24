// POST /approver: a signature for a short-lived secret; DELETE /approver ends the secret that comes along.
import { Type } from "typebox";
import { ApproverAnswer, ApproverRequest } from "../../protocol/approver.js";
import { RemoteError } from "../../protocol/errors.js";
import type { Services } from "../services.js";
import type { TypedApp } from "./typed.js";

export function approverRoutes(app: TypedApp, { approvers, audit }: Pick<Services, "approvers" | "audit">): void {
  app.post("/approver", { schema: { body: ApproverRequest, response: { 200: ApproverAnswer } } }, async (request) => {
    const answer = await approvers.exchange(request.body);
    audit.write({ event: "approver", approver: answer.keyID, decision: "admitted" });
    return answer;
  });

  app.delete("/approver", { schema: { response: { 200: Type.Literal(true) } } }, async (request) => {
    const secret = request.headers["x-approver"];
    if (typeof secret !== "string") throw new RemoteError("approver_required", "there is no x-approver to end");
    approvers.end(secret);
    return true as const;
  });
}

// Compiles if the client that is generated of the OpenAPI document has what an application needs.
import type { components, operations, paths } from "./openapi";

type Call = components["schemas"]["CallDocument"];
type Refusal = operations["getCall"]["responses"][404]["content"]["application/json"];
type Listed = paths["/v1/calls"]["get"]["responses"][200]["content"]["application/json"];

export const sentences = (call: Call): string[] =>
  call.minutes.flatMap(({ findings }) => findings.map(({ sentence }) => sentence));
export const why = (refusal: Refusal): string => `${refusal.code}: ${refusal.error}`;
export const ids = ({ calls }: Listed): string[] => calls.map(({ call }) => call);
export const change: operations["putChannel"]["requestBody"]["content"]["application/json"] = { tier: "pro" };

import { describe, expect, it } from "vitest";
import { VoiceError } from "../src/errors";

describe("no error loses its cause", () => {
  it("whatever was thrown is the cause of the VoiceError", () => {
    const [broken, denied] = [new TypeError("broken"), new DOMException("no", "NotAllowedError")];
    expect(VoiceError.from(broken)).toMatchObject({ code: "INTERNAL", message: "broken", cause: broken });
    expect(VoiceError.from(denied)).toMatchObject({ code: "CAPTURE_DENIED", cause: denied });
    expect(VoiceError.from("text")).toMatchObject({ code: "INTERNAL", message: "text", cause: "text" });
  });

  it("an OverconstrainedError that is no DOMException is a device that was not found", () => {
    const error = Object.assign(new Error(""), { name: "OverconstrainedError" });
    expect(VoiceError.from(error)).toMatchObject({ code: "DEVICE_NOT_FOUND", cause: error });
  });
});

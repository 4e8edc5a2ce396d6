import { type DeviceList, listDevices, onDevicesChanged } from "@railgun/voice";
import { h, icon } from "./dom";
import { preferences } from "./preferences";
import { t } from "./texts";

export type DeviceKind = "microphone" | "speaker" | "camera";

const KINDS = {
  microphone: { list: "microphones", icon: "mic" },
  speaker: { list: "speakers", icon: "speaker" },
  camera: { list: "cameras", icon: "camera" },
} as const satisfies Record<DeviceKind, { list: keyof DeviceList; icon: string }>;

/** One select a kind of device, kept up to date while devices come and go. What is chosen is remembered. */
export class DevicePickers {
  #selects = new Map<DeviceKind, HTMLSelectElement>();
  #fields = new Map<DeviceKind, HTMLElement>();
  #stop: () => void = () => undefined;

  constructor(idPrefix: string, choose: (kind: DeviceKind, deviceId: string) => void) {
    for (const kind of Object.keys(KINDS) as DeviceKind[]) {
      const id = `${idPrefix}-${kind}`;
      const select = h("select", {
        id,
        onchange: () => {
          preferences.save({ [kind]: select.value });
          choose(kind, select.value);
        },
      });
      this.#selects.set(kind, select);
      this.#fields.set(
        kind,
        h(
          "div",
          { class: "picker" },
          icon(KINDS[kind].icon),
          h("label", { for: id, class: "hidden" }, t.devices[kind]),
          select,
        ),
      );
    }
  }

  field(kind: DeviceKind): HTMLElement {
    return this.#fields.get(kind) ?? h("div");
  }

  async open(): Promise<void> {
    this.#stop();
    this.#stop = onDevicesChanged(() => void this.refresh());
    await this.refresh();
  }

  close(): void {
    this.#stop();
  }

  async refresh(): Promise<void> {
    const devices = await listDevices().catch(() => null);
    for (const [kind, select] of this.#selects) {
      const found = (devices?.[KINDS[kind].list] ?? []).filter(
        ({ deviceId }) => deviceId !== "" && deviceId !== "default",
      );
      const options = [
        h("option", { value: "" }, t.devices.systemDefault),
        ...found.map(({ deviceId, label }, index) =>
          h("option", { value: deviceId }, label || `${t.devices[kind]} ${index + 1}`),
        ),
      ];
      select.replaceChildren(...options);
      const chosen = preferences.values[kind];
      select.value = found.some(({ deviceId }) => deviceId === chosen) ? chosen : "";
    }
  }
}

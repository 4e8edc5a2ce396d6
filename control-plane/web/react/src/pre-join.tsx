import { type FormEvent, useEffect, useId, useState } from "react";
import { type Devices, useDevices } from "./hooks";
import { useTexts } from "./provider";
import { Video } from "./video";

export interface PreJoinProps {
  /** Resolves once the call stands; what it throws is shown by `error`. */
  onJoin(choice: { muted: boolean; camera: boolean }): Promise<void>;
  /** Why the last join or call failed, in words. */
  error?: string | null;
}

/** Before a call: devices, a look at oneself, and how to enter. */
export function PreJoin({ onJoin, error }: PreJoinProps) {
  const texts = useTexts();
  const devices = useDevices();
  const [muted, setMuted] = useState(false);
  const [camera, setCamera] = useState(false);
  const [isJoining, setJoining] = useState(false);
  const preview = usePreview(camera && !isJoining, devices.chosen.camera, () => setCamera(false));
  const join = async (event: FormEvent) => {
    event.preventDefault();
    setJoining(true);
    try {
      await onJoin({ muted, camera });
    } finally {
      setJoining(false);
    }
  };
  return (
    <form className="rg-prejoin" onSubmit={(event) => void join(event)}>
      <div className="rg-preview">{preview && <Video track={preview} label={texts.preview} />}</div>
      <DeviceSelect kind="microphone" devices={devices} list={devices.microphones} label={texts.microphone} />
      <DeviceSelect kind="speaker" devices={devices} list={devices.speakers} label={texts.speaker} />
      <DeviceSelect kind="camera" devices={devices} list={devices.cameras} label={texts.camera} />
      <label className="rg-check">
        <input type="checkbox" checked={muted} onChange={(event) => setMuted(event.target.checked)} />
        {texts.joinMuted}
      </label>
      <label className="rg-check">
        <input type="checkbox" checked={camera} onChange={(event) => setCamera(event.target.checked)} />
        {texts.joinWithCamera}
      </label>
      <button type="submit" className="rg-button rg-join" disabled={isJoining}>
        {isJoining ? texts.joining : texts.join}
      </button>
      <p className="rg-error" role="alert">
        {error}
      </p>
    </form>
  );
}

interface DeviceSelectProps {
  kind: "microphone" | "speaker" | "camera";
  devices: Devices;
  list: MediaDeviceInfo[];
  label: string;
}

function DeviceSelect({ kind, devices, list, label }: DeviceSelectProps) {
  const texts = useTexts();
  const id = useId();
  const found = list.filter(({ deviceId }) => deviceId !== "" && deviceId !== "default");
  const chosen = devices.chosen[kind];
  return (
    <div className="rg-device">
      <label htmlFor={id}>{label}</label>
      <select
        id={id}
        value={found.some(({ deviceId }) => deviceId === chosen) ? chosen : ""}
        onChange={(event) => void devices.choose(kind, event.target.value).catch(() => undefined)}
      >
        <option value="">{texts.systemDefault}</option>
        {found.map((device, index) => (
          <option key={device.deviceId} value={device.deviceId}>
            {device.label || `${label} ${index + 1}`}
          </option>
        ))}
      </select>
    </div>
  );
}

/** The camera while `on`; released before a call takes it. */
function usePreview(on: boolean, deviceId: string, failed: () => void): MediaStreamTrack | null {
  const [track, setTrack] = useState<MediaStreamTrack | null>(null);
  useEffect(() => {
    if (!on) return;
    let isCurrent = true;
    let opened: MediaStreamTrack | null = null;
    const wishes = deviceId ? { deviceId: { exact: deviceId } } : true;
    Promise.resolve(navigator.mediaDevices?.getUserMedia({ video: wishes })).then(
      (stream) => {
        opened = stream?.getVideoTracks()[0] ?? null;
        if (isCurrent && opened) setTrack(opened);
        else opened?.stop();
      },
      () => isCurrent && failed(),
    );
    return () => {
      isCurrent = false;
      opened?.stop();
      setTrack(null);
    };
  }, [on, deviceId]);
  return track;
}

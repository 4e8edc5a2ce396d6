/** React hooks and components for calls on a Rail Gun server, on `@railgun/voice`. */
export { useTexts, useVoice, useVoiceState, VoiceProvider, type VoiceProviderProps } from "./provider";
export * from "./hooks";
export { GestureBar, type GestureBarProps, type GesturesState, useGestures } from "./gestures";
export { Grid, Tile, type TileProps } from "./grid";
export { Toolbar, type ToolbarProps } from "./toolbar";
export { PreJoin, type PreJoinProps } from "./pre-join";
export { Call, type CallProps } from "./call";
export { useViewport, Video } from "./video";
export { en, type Texts } from "./texts/en";

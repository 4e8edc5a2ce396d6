/** Every word that the page shows, in English. */
import type { Source, VideoSource } from "@railgun/voice";

const DEVICE: Record<Source, string> = {
  mic: "microphone",
  camera: "camera",
  screen: "screen",
  screenAudio: "screen's sound",
};

export const en = {
  /** As the browser calls it. */
  code: "en",
  language: "Language",
  somebody: "Somebody",
  close: "Close",
  dismiss: "Dismiss",

  join: {
    encryptionKey: "Encrypted from end to end, with the key in your link. Nothing is recorded.",
    form: "Join a call",
    title: "Ready to talk?",
    lead: "Voice is free for everyone. Camera and screen sharing come with Pro.",
    name: "Your name",
    namePlaceholder: "How others will see you",
    channel: "Channel",
    channelPattern: "Letters, digits, dots, dashes and underscores",
    submit: "Join call",
    joining: "Joining…",
    invite: "Invite somebody",
    encryption: "Encrypted between you and the server, not from end to end. Nothing is recorded.",
    devices: "Your devices",
    preview: "Preview of your camera",
    cameraIsOff: "Your camera is off",
    micOn: "Join with microphone on",
    micOff: "Join muted",
    previewOn: "Turn camera preview on",
    previewOff: "Turn camera preview off",
    tryAs: "Try it as",
    pro: "Pro",
    proText: "Voice and video",
    free: "Free",
    freeText: "Voice only",
    nobodyThere: "Nobody is in this channel yet.",
    /** `names`: of at most three of them. */
    there: (names: string[], count: number) => {
      const more = count - names.length;
      const all = more > 0 ? [...names, more === 1 ? "1 other" : `${more} others`] : names;
      const list = all.length > 1 ? `${all.slice(0, -1).join(", ")} and ${all.at(-1)}` : all[0];
      return count === 1 ? `${list} is in this channel.` : `${list} are in this channel.`;
    },
  },

  devices: {
    microphone: "Microphone",
    speaker: "Speaker",
    camera: "Camera",
    systemDefault: "System default",
    level: "Microphone level",
  },

  checks: {
    title: "Check your setup",
    testMicrophone: "Test microphone",
    speakerText: "Plays three notes.",
    playTone: "Play tone",
    echo: "Echo test",
    echoText: "Hear yourself the way others do.",
    record: "Record 3 s",
    network: "Network",
    networkText: "Takes about five seconds.",
    testNetwork: "Test network",
    heard: "We hear you.",
    saySomething: "Say something and watch it move.",
    playing: "Playing…",
    didYouHear: "Did you hear it? If not, choose another speaker.",
    phases: {
      connecting: "Connecting…",
      recording: "Say something: recording three seconds…",
      playing: "This is how others hear you…",
    },
    tooQuiet: "Hardly anything was heard. Is this the right microphone?",
    hasEcho: "Your microphone hears your speakers. Headphones avoid an echo.",
    withoutServer: "Your microphone works. The server could not take part.",
    clear: "Clear, by way of the server, and no echo.",
    measuring: "Measuring…",
    toServer: (ms: number) => `${ms} ms to the server`,
    lost: (percent: string) => `${percent} % lost`,
    up: (megabits: string) => `${megabits} Mbit/s up`,
    udpOpen: "UDP open",
    udpBlocked: "UDP blocked",
    relayReachable: "relay reachable",
    relayUnreachable: "relay not reachable",
    /** By the sentence of the SDK's verdict; English has it already. */
    verdicts: {} as Record<string, string>,
  },

  invitation: {
    section: "Invitation",
    first: "You are the first one here. ",
    title: "Invite somebody",
    theirName: "Their name",
    make: "Make a link",
    link: "Link",
    note: "Good for one day and for this person: whoever opens it takes part under this name.",
    copy: "Copy link",
    copied: "The link is copied.",
    copyByHand: "Copy the marked link by hand: the browser does not let this page.",
    channelCopied: "The link to this channel is copied.",
    channelLink: (link: string) => `The link to this channel: ${link}`,
  },

  call: {
    time: "Time in this call",
    video: "Video",
    people: "People",
    resuming: "Reconnecting… you can go on talking",
    rejoining: "The call moves to another server…",
    joiningAgain: "Joining again…",
    mediaConnecting: "Sound and video are not getting through yet…",
    mediaInterrupted: "Sound and video are interrupted. Trying again…",
    noSound: "No sound arrives from anybody.",
    cpuLimited: "This device is too slow for your video, so it is sent coarser.",
    heldBack: "Your video is paused: the network is too weak. Your voice goes on.",
    queue: (position: number, current: number, max: number) =>
      `Video slots full (${current}/${max}) — You're #${position} in queue`,
    playbackBlocked: "The browser holds the sound back.",
    playSound: "Play sound",
    shareNow: "Share now",
    unmute: "Unmute",
    quality: (word: string) => `Call quality: ${word}`,
  },

  encryption: {
    title: "Encryption",
    lock: (state: string) => `Encryption: ${state}`,
    states: { transport: "To the server", endToEnd: "End to end", verified: "Verified", noKey: "No key" },
    meanings: {
      transport: "Sound and video are encrypted between each of you and the server. Whoever runs the server could listen.",
      endToEnd: "Sound and video are encrypted from end to end: the server cannot open them. It does see who is here, when, and how loud.",
      verified: "You compared the code: everybody here has the same key, and the server does not.",
      noKey: "This call is encrypted from end to end, and you have no key for it. Ask somebody who is in it for the link with the key.",
    },
    code: "Code of this call",
    compare: "Read these digits to each other. If they are the same for all of you, nobody in between has another key.",
    same: "They are the same",
    notSame: "They are not the same",
    ownKeyMissing: "You have no key for this call. Ask for the link with the key.",
    waitingFor: (names: string) => `Waiting for the key of ${names}`,
  },

  people: {
    title: "In this call ",
    close: "Close people",
    you: (name: string) => `${name} (you)`,
    count: (present: number, most: number) => `${present} of ${most}`,
    volume: (name: string) => `Volume of ${name}`,
    reconnecting: "reconnecting",
    deafened: "deafened",
    muted: "muted",
  },

  tile: {
    yourScreen: "Your screen",
    screenOf: (name: string) => `${name}'s screen`,
    ownScreen: "your screen",
    yourself: "yourself",
    pin: (what: string) => `Pin ${what}`,
    flip: "Flip camera",
    window: (what: string) => `Picture in picture: ${what}`,
    full: (what: string) => `Full screen: ${what}`,
    videoOf: (name: string) => `Video of ${name}`,
    trouble: {
      noSound: "no sound arrives",
      choppySound: "sound breaks up",
      videoStalled: "picture stands still",
      videoHeldBack: "paused: your network is too weak",
    },
  },

  tools: {
    controls: "Call controls",
    mute: "Mute",
    unmute: "Unmute",
    deafen: "Deafen",
    undeafen: "Undeafen",
    startCamera: "Start camera",
    stopCamera: "Stop camera",
    shareScreen: "Share screen",
    stopSharing: "Stop sharing",
    starting: "Starting…",
    leaveQueue: "Leave queue",
    now: (start: string) => `${start} now`,
    needsPro: (text: string) => `${text} (needs Pro)`,
    people: "People",
    quality: "Quality",
    settings: "Settings",
    leave: "Leave",
  },

  shortcuts: {
    mute: "Mute or unmute",
    deafen: "Deafen or listen again",
    camera: "Start or stop the camera",
    screen: "Share or stop the screen",
    people: "Show or hide people",
    view: "Show whoever speaks large, or everybody alike",
    stats: "Show or hide call quality",
    talk: "Hold: talk while muted",
  },

  settings: {
    title: "Settings",
    devices: "Devices",
    sound: "Sound",
    microphoneVolume: "Microphone volume",
    callVolume: "Volume of the call",
    denoise: "Strong noise suppression",
    denoiseText: "RNNoise: takes out keyboards and fans, and needs more of your processor.",
    denoiseFailed: "Noise suppression cannot run in this browser.",
    sounds: "Sounds",
    soundsText: "When somebody joins or leaves, and when you mute.",
    view: "View",
    speakerView: "Speaker view",
    speakerViewText: "Whoever speaks is shown large.",
    keyboard: "Keyboard",
  },

  upgrade: {
    title: "Turn on video with Pro",
    perks: [
      "Camera in 720p",
      "Screen sharing, with its sound",
      "Up to 25 people in a channel",
      "Twice the audio quality: 64 kbit/s",
    ],
    notNow: "Not now",
    get: "Get Pro",
    noShop: "This trial has no shop. Join again as Pro to see video.",
    what: (source: VideoSource) =>
      `${source === "camera" ? "Your camera" : "Sharing your screen"} is part of Pro. You can go on talking, as long as you like, for free.`,
  },

  stats: {
    title: "Call quality",
    close: "Close call quality",
    grades: { excellent: "Excellent", good: "Good", fair: "Fair", poor: "Poor", unknown: "Unknown" },
    notEverything: (grade: string) => `${grade}: not everything arrives`,
    measuring: "Measuring…",
    score: "Opinion score, up to 4.5",
    path: "Path",
    paths: { udp: "Direct (UDP)", tcp: "Direct (TCP)", turn: "Relay (TURN)" },
    roundTrip: "Round trip",
    jitter: "Jitter",
    loss: "Loss",
    sending: "Sending",
    receiving: "Receiving",
    lastMinute: (range: string) => `Score over the last minute: ${range}`,
    lastTwoMinutes: (range: string) => `Score over the last two minutes: ${range}`,
    between: (least: string, most: string) => `between ${least} and ${most}`,
    notMeasured: "not measured",
  },

  notices: {
    cannotBeReceived: (name: string, why: string) => `${name} cannot be received. ${why}`,
    slotGranted: "It is your turn: share your screen within 30 seconds.",
    noiseLoop: "Muted due to unusual audio. You can unmute.",
    mutedByModerator: "A moderator has muted you.",
    proEnded: "Your Pro subscription has ended. Video stopped; you can go on talking.",
    upgraded: "Welcome to Pro: camera and screen sharing are unlocked.",
    feedback: "Possible feedback. Use headphones? The volume was lowered by 30 %.",
    microphoneLost: "Your microphone is gone. Plug it in again, or choose another one.",
  },

  errors: {
    browser: "Something went wrong in the browser. Reload the page and try again.",
    captureDenied: (of: Source) => `The browser did not allow the ${DEVICE[of]}. Allow it for this page and try again.`,
    deviceNotFound: (of: Source) => `No ${DEVICE[of]} was found on this device.`,
    deviceInUse: (of: Source) => `The ${DEVICE[of]} is in use by another program.`,
    captureUnavailable: (of: Source) =>
      `The browser gives no ${DEVICE[of]} to this page. Open it over HTTPS or on this machine.`,
    unsupportedBrowser: "This browser cannot hold calls. Use a current Chrome, Edge, Firefox or Safari.",
    unreachable: "The server does not answer. Check your connection and try again.",
    e2eeDowngraded: "This call was encrypted from end to end, or should be, and the server would not. You were not connected.",
    e2eeUnable: "This call is encrypted from end to end, which this browser cannot do. Use a current Chrome, Edge or Firefox.",
    badKey: "The key in your link is damaged, or for another channel. Ask for the link again.",
    screenNeedsPro: "Sharing your screen needs Pro.",
    cameraNeedsPro: "Your camera needs Pro.",
    videoLimit: (max: number | null) =>
      `All ${max === null ? "" : `${max} `}video places in this channel are taken. Try again when one is free.`,
    channelFull: "This channel is full. Try again when somebody has left.",
    channelNotFound: "There is no such channel.",
    notAllowed: "You are not allowed to do that in this channel.",
    keptOut: "You are kept out of this channel.",
    keptOutUntil: (time: string) => `You are kept out of this channel until ${time}.`,
    tooFast: "That was too fast. Wait a moment and try again.",
    tooFastFor: (seconds: number) => `That was too fast. Try again in ${seconds} seconds.`,
    unauthorized: "The server did not accept who you are. Ask for a new token.",
    noNewToken: "No new token could be had. Join again.",
    tokenExpired: "Your token has expired. Ask for a new one.",
    nodeUnavailable: "No media server is free right now. Try again in a moment.",
    transportFailed: "Sound and video cannot get through to the server from this network.",
    unsupportedCodec: "Your browser cannot play what this person sends.",
    invalidPayload: "The server could not read that. Use a shorter name made of plain letters and digits.",
    other: "That did not work. Try again.",
    openPrintedLink: "Open the link that the server printed when it started.",
    wrongSecrets: "Too many wrong secrets were shown. Try again in a minute.",
    noTrialTokens: "This server gives out no trial tokens. Open the page with #token= and your token.",
  },

  ends: {
    replaced: "You joined from another place, so the call ended here.",
    noiseLoop: "You were removed for unusual audio.",
    noiseLoopUntil: (time: string) => `You were removed for unusual audio until ${time}.`,
    removed: "You were removed from the call.",
    removedUntil: (time: string) => `You were removed from the call until ${time}.`,
    unreachable: "The server could not be reached again, so the call has ended.",
    ended: (why: string) => `The call has ended. ${why}`,
  },
};

type Widened<Value> = Value extends string
  ? string
  : Value extends (...given: infer Given) => string
    ? (...given: Given) => string
    : { [Key in keyof Value]: Widened<Value[Key]> };

/** What a language has to say. */
export type Texts = Widened<typeof en>;

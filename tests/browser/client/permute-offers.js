/**
 * Installed before anything else in the page: a browser whose payload types and header-extension ids are
 * others than Chromium's. Every offer is renumbered by codec and by extension, the same way each time.
 */
(() => {
  const payloadTypes = new Map();
  const extensionIds = new Map();

  /** Gives each key the value of its neighbour, so that the numbers stay those the browser may use. */
  function rotate(table, entries) {
    const fresh = entries.filter(([key]) => !table.has(key));
    fresh.forEach(([key], index) => table.set(key, fresh[(index + 1) % fresh.length][1]));
  }

  /** `[identity, payload type]` of every codec in a section; retransmission is told apart by what it repairs. */
  function codecsOf(section) {
    const names = new Map(
      [...section.matchAll(/^a=rtpmap:(\d+) (.+)$/gm)].map(([, type, name]) => [type, name.trim()]),
    );
    const formats = new Map(
      [...section.matchAll(/^a=fmtp:(\d+) (.+)$/gm)].map(([, type, format]) => [type, format.trim()]),
    );
    const identity = (type) => {
      const format = formats.get(type) ?? "";
      const repaired = /^apt=(\d+)$/.exec(format)?.[1];
      return `${names.get(type)} ${repaired ? `for ${identity(repaired)}` : names.get(type)?.startsWith("red/") ? "" : format}`;
    };
    return [...names.keys()].filter((type) => Number(type) >= 35).map((type) => [identity(type), type]);
  }

  function renumber(section) {
    if (!/^m=(audio|video) /.test(section)) return section;
    const codecs = codecsOf(section);
    rotate(payloadTypes, codecs);
    const types = new Map(codecs.map(([key, type]) => [type, payloadTypes.get(key)]));
    const typed = (type) => types.get(type) ?? type;
    const extensions = [...section.matchAll(/^a=extmap:(\d+)(\/\w+)? (\S+)/gm)].map(([, id, , uri]) => [
      uri,
      id,
    ]);
    rotate(extensionIds, extensions);
    return section
      .replace(/^(m=\w+ \d+ \S+ )([\d ]+)/, (_, start, list) => start + list.split(" ").map(typed).join(" "))
      .replace(/^a=(rtpmap|fmtp|rtcp-fb):(\d+)/gm, (_, name, type) => `a=${name}:${typed(type)}`)
      .replace(/apt=(\d+)/g, (_, type) => `apt=${typed(type)}`)
      .replace(
        /^(a=fmtp:\d+ )(\d+(?:\/\d+)+)/gm,
        (_, start, list) => start + list.split("/").map(typed).join("/"),
      )
      .replace(
        /^a=extmap:(\d+)((?:\/\w+)? )(\S+)/gm,
        (_, __, middle, uri) => `a=extmap:${extensionIds.get(uri)}${middle}${uri}`,
      );
  }

  window.RTCPeerConnection = class extends RTCPeerConnection {
    async createOffer(...options) {
      const offer = await super.createOffer(...options);
      const sections = offer.sdp.split(/^(?=m=)/m);
      return { type: offer.type, sdp: sections.map(renumber).join("") };
    }
  };
})();

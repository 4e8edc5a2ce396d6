/** Hosts of a test's own on one Ethernet link: network namespaces, which reach nothing else. */
import { execFileSync } from "node:child_process";
import { chmod, writeFile } from "node:fs/promises";
import { launchBrowser } from "./browser.mjs";
import { installed } from "./server.mjs";

let created = 0;

/** Why there can be no such hosts here, for a test to be left out; false where there can. */
export function withoutNamespaces() {
  const name = `railgun-web-probe-${process.pid}`;
  try {
    ip(`netns add ${name}`);
    ip(`netns delete ${name}`);
    return false;
  } catch (error) {
    return `network namespaces are not permitted here: ${error.stderr ?? error.message}`;
  }
}

export class Network {
  #prefix = `railgun-web-${process.pid}-${(created += 1)}`;
  #namespaces = [];
  #addresses;

  /** `hosts`: by name, the IPv4 address of each, or several, each of an interface of its own. */
  constructor(hosts) {
    this.#addresses = hosts;
    process.once("exit", () => this.remove());
    const link = this.#add("switch");
    ip(`-n ${link} link add bridge type bridge`);
    ip(`-n ${link} link set bridge up`);
    for (const [host, addresses] of Object.entries(hosts)) {
      const name = this.#add(host);
      ip(`-n ${name} link set lo up`);
      for (const [place, address] of [addresses].flat().entries()) {
        ip(`-n ${link} link add ${host}${place} type veth peer name eth${place} netns ${name}`);
        ip(`-n ${link} link set ${host}${place} master bridge up`);
        ip(`-n ${name} link set eth${place} up`);
        ip(`-n ${name} address add ${address}/24 dev eth${place}`);
      }
    }
  }

  /** The command that starts another one on a host. */
  on(host) {
    return [installed("ip"), "netns", "exec", `${this.#prefix}-${host}`];
  }

  /** As firewalls of companies do: what that host sends to the others by UDP is dropped, and nobody is told. */
  dropUdp(host) {
    const { [host]: from, ...others } = this.#addresses;
    for (const other of Object.keys(others)) {
      const rule = `-n ${this.#prefix}-${other} rule`;
      // Before the table of the host's own addresses, which comes first as it is.
      ip(`${rule} add pref 2 lookup local`);
      ip(`${rule} add pref 1 from ${from} ipproto udp blackhole`);
      ip(`${rule} delete pref 0`);
    }
  }

  /** From this address of the host. */
  forbidUdpFrom(host, address) {
    ip(`-n ${this.#prefix}-${host} rule add from ${address} ipproto udp prohibit`);
  }

  allowUdpFrom(host, address) {
    ip(`-n ${this.#prefix}-${host} rule delete from ${address} ipproto udp prohibit`);
  }

  /** What runs there must have ended. */
  remove() {
    for (const name of this.#namespaces.splice(0).reverse()) ip(`netns delete ${name}`);
  }

  #add(host) {
    const name = `${this.#prefix}-${host}`;
    ip(`netns add ${name}`);
    this.#namespaces.push(name);
    return name;
  }
}

/** A browser on a host: `on` starts a command there, and `script` is where to write how it does. */
export function launchOn(on, script, options) {
  const wrapped = async (path) => {
    await writeFile(script, `#!/bin/sh\nexec ${on.join(" ")} ${path} "$@"\n`);
    await chmod(script, 0o755);
    return script;
  };
  return launchBrowser({ ...options, wrapped });
}

function ip(command) {
  execFileSync(installed("ip"), command.split(" "), { stdio: "pipe", encoding: "utf8" });
}

// A host 52 ms away: behind a network of packets where the machine lets us make one, else behind a relay of bytes. The relay
// acknowledges locally, so what OpenSSH pays for Nagle's algorithm and late acknowledgements on a real link is missing there.
import { hasPacketWan, packetWanReason, startPacketWan } from "../test/ssh/fixtures/packet-wan.js";
import { type BenchHost, startBenchHost } from "./host.js";
import { startWanProcess } from "./wan-process.js";

const ONE_WAY_MS = 26;
export const FAR_RTT_MS = 2 * ONE_WAY_MS;

export interface FarHost {
  host: BenchHost;
  /** For titles. */
  name: string;
  stop(): Promise<void>;
}

export async function startFarHost(): Promise<FarHost> {
  const distance = `${2 * ONE_WAY_MS} ms round trip`;
  if (hasPacketWan) {
    const wan = await startPacketWan({ delayMs: ONE_WAY_MS });
    const host = await startBenchHost({ network: wan.network });
    const stop = async () => {
      await host.stop();
      await wan.stop();
    };
    return { host, name: `${distance}, packets`, stop };
  }
  let relay: Awaited<ReturnType<typeof startWanProcess>> | undefined;
  const host = await startBenchHost({
    relay: async (target) => {
      relay = await startWanProcess({ target, delayMs: ONE_WAY_MS });
      return relay.port;
    },
  });
  const stop = async () => {
    relay?.stop();
    await host.stop();
  };
  return { host, name: `${distance}, a TCP relay (a network of packets ${packetWanReason})`, stop };
}

// Whether a transport is gone: a channel that ends without a status may be the host's doing, or the end of everything.
import type { Transport } from "../ssh/transport.js";

const watched = new WeakMap<Transport, Loss>();

interface Loss {
  lost: boolean;
}

/** The same object for the same transport; `lost` turns true when the connection is gone. */
export function watchLoss(transport: Transport): Loss {
  const known = watched.get(transport);
  if (known !== undefined) return known;
  const loss = { lost: false };
  watched.set(transport, loss);
  transport.onClose(() => {
    loss.lost = true;
  });
  return loss;
}

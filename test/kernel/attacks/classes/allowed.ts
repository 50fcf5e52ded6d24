// What must go on working: that nothing was reached outside says little where nothing could run at all.
import { type AttackClass, says } from "../attack.js";

export const allowed: AttackClass = {
  name: "what is approved",
  attacks: [
    says("reading inside", `[ "$(cat file)" = file ] && echo ESCAPED`, { works: true }),
    says(
      "writing inside",
      `echo new > new && mv new newer && mkdir d && cp newer d/ && rm -r d newer && echo ESCAPED`,
      { works: true },
    ),
    says("the temporary directory", `echo new > "$TMPDIR/new" && rm "$TMPDIR/new" && echo ESCAPED`, { works: true }),
    says("reading what may be read", `[ "$(cat "$LIB/data")" = library ] && echo ESCAPED`, { works: true }),
    says("pipes and children", `echo a | tr a b | grep -q b && (cd . && bash -c true) && echo ESCAPED`, {
      works: true,
    }),
    says("devices", `head -c 3 /dev/urandom >/dev/null && : > /dev/null && echo ESCAPED`, { works: true }),
    says("signals to its own children", `sleep 20 & kill $! && echo ESCAPED`, { works: true }),
    says("shared memory of its own", `echo x > "/dev/shm/ocrs-$$" && rm "/dev/shm/ocrs-$$" && echo ESCAPED`, {
      lost: "shared-memory",
    }),
    says("own unix sockets", `"$MISCHIEF" own-socket "$WS"`, { lost: "no-unix-sockets" }),
    says(
      "moving between directories without a copy",
      `mkdir a b; echo x > a/x; one=$(stat -c %i a/x); mv a/x b/x; [ "$(stat -c %i b/x)" = "$one" ] && echo ESCAPED`,
      {
        lost: "move-copies",
      },
    ),
  ],
};

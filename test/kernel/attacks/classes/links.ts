// Links from inside to outside, made before or by the command, and names that are moved across.
import { type AttackClass, reads, says, tools, writes } from "../attack.js";

const oldLinks: AttackClass = {
  name: "symlinks that were there",
  attacks: [
    reads("to a file", `cat link`, { setup: `ln -s "$SECRET" "$WS/link"` }),
    reads("to a directory", `cat link/secret`, { setup: `ln -s "$OUT" "$WS/link"` }),
    reads("relative", `cat link`, { setup: `ln -s ../outside/secret "$WS/link"` }),
    reads("chain", `cat a`, { setup: `cd "$WS" && ln -s b a && ln -s c b && ln -s "$SECRET" c` }),
    reads("to the root", `cat "root$SECRET"`, { setup: `ln -s / "$WS/root"` }),
    reads("dot-dot behind a link", `cat link/../secret`, { setup: `ln -s "$OUT/dir" "$WS/link"` }),
    writes("write", `echo changed > link`, { setup: `ln -s "$TARGET" "$WS/link"` }),
    writes("new file", `touch link/new`, { setup: `ln -s "$OUT" "$WS/link"` }),
    writes("dangling", `echo new > link`, { setup: `ln -s "$OUT/new" "$WS/link"` }),
  ],
};

const newLinks: AttackClass = {
  name: "symlinks made inside",
  attacks: [
    reads("to a file", `ln -s "$SECRET" link && cat link`),
    reads("to a directory", `ln -s .. up && cat up/outside/secret`),
    reads("in the temporary directory", `ln -s "$OUT" "$TMPDIR/link" && cat "$TMPDIR/link/secret"`),
    reads("grep -R follows", `ln -s "$OUT" link; grep -R secret- .`),
    reads("find -L follows", `ln -s "$OUT" link; find -L . -name secret -exec cat {} +`),
    reads("tar -h follows", `ln -s "$OUT" link; tar -chf all.tar link`),
    writes("write", `ln -s "$TARGET" link && echo changed > link`),
    writes("cp through", `ln -s "$OUT" link && cp file link/copied`),
    reads("swapped while it is opened", `echo inside > a; ln -s "$SECRET" b; "$MISCHIEF" swap-race a b a 1`),
    reads(
      "a directory swapped while it is walked",
      `mkdir a; echo inside > a/secret; ln -s "$OUT" b; "$MISCHIEF" swap-race a b a/secret 1`,
    ),
  ],
};

const hardLinks: AttackClass = {
  name: "hard links made inside",
  attacks: [
    reads("ln", `ln ../outside/secret link && cat link`),
    reads("cp -l", `cp -l "$SECRET" link && cat link`),
    reads("cp -al of a directory", `cp -al "$OUT" copy && cat copy/secret`),
    reads("of a link", `ln -s "$SECRET" soft && ln -L soft hard && cat hard`),
    reads("python", `python3 -c 'import os; os.link(os.environ["SECRET"], "link"); print(open("link").read())'`, {
      needs: tools("python3"),
    }),
    reads("of what is open", `exec 7<"$SECRET"; "$MISCHIEF" link-descriptor 7 link; cat link`),
    reads("again in the next command", `ln "$SECRET" link; true`, { again: `cat link` }),
    writes("out of the workspace", `ln file "$OUT/linked"`),
    writes("of a nameless file", `"$MISCHIEF" link-nameless . "$OUT/linked"`),
  ],
};

const renames: AttackClass = {
  name: "rename and exchange",
  attacks: [
    reads("exchange files", `"$MISCHIEF" exchange file "$SECRET"; cat file`),
    reads("exchange directories", `mkdir d; "$MISCHIEF" exchange d "$OUT/dir"; cat d/secret`),
    reads("exchange with a link", `ln -s "$OUT" s; "$MISCHIEF" exchange s ../lib; cat ../lib/secret`),
    reads("rename in", `"$MISCHIEF" rename-no-replace "$SECRET" taken; cat taken`),
    reads("move a directory in", `mv "$OUT/dir" taken; cat taken/secret`),
    writes("rename out", `mv file "$OUT/given"`),
    writes("rename over", `echo changed > new; mv new "$TARGET"`),
    writes("move the workspace itself", `mv "$WS" "$OUT/ws"`, { after: `[ -d "$WS" ] || mv "$OUT/ws" "$WS"` }),
    writes("rename outside", `mv "$TARGET" "$OUT/renamed"`),
  ],
};

const redirection: AttackClass = {
  name: "grant redirection",
  attacks: [
    reads("a link in the place of an approved directory", `mv vendor away; ln -s "$OUT" vendor`, {
      setup: `mkdir "$WS/vendor"; echo inside > "$WS/vendor/file"`,
      grants: ["ro ws/vendor"],
      again: `cat vendor/secret`,
    }),
    reads("the same, relative", `mv vendor away; ln -s ../outside vendor`, {
      setup: `mkdir "$WS/vendor"`,
      grants: ["ro ws/vendor"],
      again: `cat vendor/secret`,
    }),
    writes("the same, writing", `mv vendor away; ln -s "$OUT" vendor`, {
      setup: `mkdir "$WS/vendor"`,
      grants: ["rw ws/vendor"],
      again: `echo changed > vendor/target`,
    }),
    reads("a link in the place of its parent", `mv deps away; ln -s "$OUT" deps`, {
      setup: `mkdir -p "$WS/deps/dir"`,
      grants: ["ro ws/deps/dir"],
      again: `cat deps/dir/secret`,
    }),
    reads("exchanged with a link", `ln -s "$OUT" trap; "$MISCHIEF" exchange vendor trap`, {
      setup: `mkdir "$WS/vendor"`,
      grants: ["ro ws/vendor"],
      again: `cat vendor/secret`,
    }),
    reads("a link in the place of an approved file", `rm conf/one; ln -s "$SECRET" conf/one`, {
      setup: `mkdir "$WS/conf"; echo inside > "$WS/conf/one"`,
      grants: ["ro-file ws/conf/one"],
      again: `cat conf/one`,
    }),
    writes("a link in the place of an approved file, writing", `rm conf/one; ln -s "$TARGET" conf/one`, {
      setup: `mkdir "$WS/conf"; echo inside > "$WS/conf/one"`,
      grants: ["rw-file ws/conf/one"],
      again: `echo changed > conf/one`,
    }),
    says("another directory in the same place", `mv vendor away; mkdir vendor; echo other > vendor/file`, {
      setup: `mkdir "$WS/vendor"`,
      grants: ["ro ws/vendor"],
      // what was approved is not there any more: nothing may run by that approval
      again: `cat vendor/file && echo ESCAPED`,
    }),
  ],
};

const oldHardLinks: AttackClass = {
  name: "hard links that were there",
  attacks: [
    reads("cat", `cat link`, { setup: `ln "$SECRET" "$WS/link"`, gap: "pre-existing-hard-links" }),
    reads("below a directory", `cat d/link`, {
      setup: `mkdir "$WS/d"; ln "$SECRET" "$WS/d/link"`,
      gap: "pre-existing-hard-links",
    }),
    reads("in an approved library", `cat "$LIB/link"`, {
      setup: `ln "$SECRET" "$LIB/link"`,
      gap: "pre-existing-hard-links",
    }),
    writes("write", `echo changed > link`, { setup: `ln "$TARGET" "$WS/link"`, gap: "pre-existing-hard-links" }),
    writes("truncate", `: > link`, { setup: `ln "$TARGET" "$WS/link"`, gap: "pre-existing-hard-links" }),
  ],
};

export const links: AttackClass[] = [oldLinks, newLinks, hardLinks, renames, redirection, oldHardLinks];

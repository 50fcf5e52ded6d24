// The ways to spell a path outside: absolute, by "..", by "~", by variables, encoded, and by patterns.
import { type AttackClass, reads, tools, writes } from "../attack.js";

const absolute: AttackClass = {
  name: "absolute paths",
  attacks: [
    reads("cat", `cat "$SECRET"`),
    reads("cp", `cp "$SECRET" copy`),
    reads("tar", `tar -cf all.tar "$OUT"`),
    reads("mv", `mv "$SECRET" taken`),
    reads("sibling with the same beginning", `cat "$HOME/ws-other/secret"`),
    writes("write", `echo changed > "$TARGET"`),
    writes("rm", `rm -f "$TARGET"`),
    writes("mkdir", `mkdir "$OUT/made"`),
    writes("new file in the home", `touch "$HOME/escaped-file"`, { after: `rm -f "$HOME/escaped-file"` }),
    writes("truncate", `"$MISCHIEF" truncate "$TARGET"`),
  ],
};

const dotDot: AttackClass = {
  name: "dot-dot",
  attacks: [
    reads("cat", `cat ../outside/secret`),
    reads("cd", `cd ../outside && cat secret`),
    reads("through a directory inside", `mkdir -p a/b && cat a/b/../../../outside/secret`),
    reads("pushd", `pushd ../outside/dir >/dev/null; cat secret`),
    reads("find", `find .. -name secret -exec cat {} +`),
    reads("by descriptors", `"$MISCHIEF" walk-up .. outside/secret`),
    writes("write", `echo changed > ../outside/target`),
    writes("clean", `rm -rf ../outside/dir`),
    writes("install", `install -d ../outside/bin && install -m 755 file ../outside/bin/file`),
  ],
};

const tilde: AttackClass = {
  name: "tilde",
  attacks: [
    reads("cat", `cat ~/outside/secret`),
    reads("cd", `cd && cat outside/secret`),
    reads("as a variable", `place=~; cat $place/outside/secret`),
    reads("of another name", `HOME=~/outside; cat ~/secret`),
    reads("of the directory before", `cd "$TMPDIR"; cd "$WS"; cat ~-/../outside/secret`),
    reads("of the current directory", `cat ~+/../outside/secret`),
    writes("write", `echo changed > ~/outside/target`),
  ],
};

const variables: AttackClass = {
  name: "variables",
  attacks: [
    reads("a part of a name", `a=outs; cat ../\${a}ide/secret`),
    reads("indirect", `name=SECRET; cat "\${!name}"`),
    reads("printf -v", `printf -v path '%s/%s' "$OUT" sec; cat "\${path}ret"`),
    reads("replaced", `path=../inside/secret; cat "\${path/in/out}"`),
    reads("an array", `parts=(.. outside secret); IFS=/; cat "\${parts[*]}"`),
    reads("from the environment of a child", `env WHERE="$OUT" sh -c 'cat "$WHERE/secret"'`),
    writes("write", `d=..; f=target; echo changed > "$d/outside/$f"`),
  ],
};

const encoded: AttackClass = {
  name: "base64 and other codes",
  attacks: [
    reads("base64", `eval "$(echo Y2F0IC4uL291dHNpZGUvc2VjcmV0 | base64 -d)"`),
    reads("hexadecimal", `cat $'\\x2e\\x2e/outside/\\x73ecret'`),
    reads("octal", `cat "$(printf '\\056\\056/outside/secret')"`),
    reads("backwards", `cat "$(echo terces/edistuo/.. | rev)"`, { needs: tools("rev") }),
    reads("rot13", `cat "$(echo ../bhgfvqr/frperg | tr a-z n-za-m)"`),
    reads("gzip", `echo 'cat ../outside/secret' | gzip | gunzip | sh`, { needs: tools("gzip") }),
    writes("base64, write", `echo ZWNobyBjaGFuZ2VkID4gLi4vb3V0c2lkZS90YXJnZXQ= | base64 -d | sh`),
  ],
};

const globs: AttackClass = {
  name: "globs",
  attacks: [
    reads("star", `cat ../out*/sec*`),
    reads("question mark", `cat ../?utsid?/secre?`),
    reads("brackets", `cat ../[o]utside/[!x]ecret`),
    reads("braces", `cat ../out{side,law}/secret`),
    reads("globstar", `shopt -s globstar; cat ../**/secret`),
    reads("extglob", `shopt -s extglob\ncat ../@(outside|x)/!(target|dir)`),
    writes("write", `for f in ../out*/targ*; do echo changed > "$f"; done`),
  ],
};

export const paths: AttackClass[] = [absolute, dotDot, tilde, variables, encoded, globs];

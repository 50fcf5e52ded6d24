// Ordinary programs that open what they are told to: interpreters, redirections, git, curl, and files that include others.
import { type AttackClass, reads, tools, writes } from "../attack.js";

const interpreters: AttackClass = {
  name: "interpreters",
  attacks: [
    reads("python", `python3 -c 'import os; print(open(os.environ["SECRET"]).read())'`, { needs: tools("python3") }),
    reads("perl", `perl -e 'open F, "<", $ENV{SECRET}; print <F>'`, { needs: tools("perl") }),
    reads("awk", `awk 'BEGIN { while ((getline line < ENVIRON["SECRET"]) > 0) print line }'`, { needs: tools("awk") }),
    reads("node", `node -e 'console.log(require("fs").readFileSync(process.env.SECRET, "utf8"))'`, {
      needs: tools("node"),
    }),
    reads("sed", `echo x | sed "r $SECRET"`),
    reads("vim", `vim -es -u NONE -c "r $SECRET" -c "w copy" -c q </dev/null; cat copy`, { needs: tools("vim") }),
    reads("bash alone", `mapfile -t lines < "$SECRET"; echo "\${lines[@]}"`),
    reads("a static program", `"$MISCHIEF" cat "$SECRET"`),
    reads("mapped into memory", `"$MISCHIEF" cat-mapped "$SECRET"`),
    reads("openat2", `"$MISCHIEF" cat-openat2 "$SECRET"`),
    reads("reopened by number", `"$MISCHIEF" cat-reopened "$SECRET"`),
    reads("a program without a file", `"$MISCHIEF" cat-from-memory "$SECRET"`),
    reads("an empty environment", `env -i "$MISCHIEF" cat "$SECRET"`),
    reads("its own loader", `/lib64/ld-linux-x86-64.so.2 /bin/cat "$SECRET"`, {
      needs: `[ -e /lib64/ld-linux-x86-64.so.2 ]`,
    }),
    writes("python, write", `python3 -c 'import os; open(os.environ["TARGET"], "w").write("changed")'`, {
      needs: tools("python3"),
    }),
    writes("perl, unlink", `perl -e 'unlink $ENV{TARGET}'`, { needs: tools("perl") }),
  ],
};

const redirects: AttackClass = {
  name: "redirects",
  attacks: [
    reads("input", `cat < "$SECRET"`),
    reads("substituted", `echo "$(< "$SECRET")"`),
    reads("a descriptor", `exec 3<"$SECRET"; cat <&3`),
    reads("read", `read -r line < "$SECRET"; echo "$line"`),
    reads("dd", `dd if="$SECRET" 2>/dev/null`),
    writes("append", `echo changed >> "$TARGET"`),
    writes("clobber", `set -C; echo changed >| "$TARGET"`),
    writes("read and write", `echo changed 1<> "$TARGET"`),
    writes("tee", `echo changed | tee "$TARGET" >/dev/null`),
    writes("errors", `ls /nonexistent 2> "$TARGET"`),
    writes("dd, write", `echo changed | dd of="$TARGET" conv=notrunc 2>/dev/null`),
  ],
};

const gitNoIndex: AttackClass = {
  name: "git and diff of files outside",
  attacks: [
    reads("git diff --no-index", `git diff --no-index /dev/null "$SECRET"`, { needs: tools("git") }),
    reads("git diff of two directories", `mkdir e; git diff --no-index e "$OUT"`, { needs: tools("git") }),
    reads("git hash-object", `git init -q . && git cat-file -p "$(git hash-object -w "$SECRET")"`, {
      needs: tools("git"),
    }),
    reads("git grep", `cd "$OUT" && git grep --no-index secret-`, { needs: tools("git") }),
    reads("git clone", `git clone -q "$OUT/repo" mine && cat mine/secret`, {
      needs: tools("git"),
      setup: `git init -q "$OUT/repo" && cd "$OUT/repo" && cp "$SECRET" . && git add . && git -c user.name=a -c user.email=a@b commit -qm x`,
    }),
    reads("another work tree", `git init -q . && git --work-tree="$OUT" add -A && git cat-file -p :secret`, {
      needs: tools("git"),
    }),
    reads("diff", `diff /dev/null "$SECRET"`, { needs: tools("diff") }),
    writes("git init outside", `git init -q "$OUT/repo"`, { needs: tools("git") }),
    writes(
      "patch",
      `printf -- '--- target\\n+++ target\\n@@ -1 +1 @@\\n-untouched\\n+changed\\n' | patch -s -d "$OUT"`,
      { needs: tools("patch") },
    ),
  ],
};

const curlFile: AttackClass = {
  name: "curl and other file addresses",
  attacks: [
    reads("curl file://", `curl -s "file://$SECRET"`, { needs: tools("curl") }),
    reads("curl -o", `curl -s -o copy "file://$SECRET"`, { needs: tools("curl") }),
    reads("curl configuration", `echo "url = file://$SECRET" > rc; curl -s -K rc`, { needs: tools("curl") }),
    reads("curl -T to itself", `curl -s -T "$SECRET" "file://$WS/copy"`, { needs: tools("curl") }),
    writes("curl -o, write", `curl -s -o "$TARGET" "file://$WS/file"`, { needs: tools("curl") }),
    reads(
      "python urllib",
      `python3 -c 'import os, urllib.request as r; print(r.urlopen("file://" + os.environ["SECRET"]).read())'`,
      { needs: tools("python3") },
    ),
    reads("git file://", `git clone -q "file://$OUT/repo" mine && cat mine/secret`, {
      needs: tools("git"),
      setup: `git init -q "$OUT/repo" && cd "$OUT/repo" && cp "$SECRET" . && git add . && git -c user.name=a -c user.email=a@b commit -qm x`,
    }),
  ],
};

const includes: AttackClass = {
  name: "includes",
  attacks: [
    reads("gcc #include", `echo "#include \\"$SECRET\\"" > a.c; gcc -E a.c`, { needs: tools("gcc") }),
    reads("assembler .incbin", `printf '.globl s\\ns: .incbin "%s"\\n' "$SECRET" > a.s; gcc -c a.s && cat a.o`, {
      needs: tools("gcc"),
    }),
    reads(
      "make, the contents of a file",
      `printf 'X := $(file <%s)\\nall:\\n\\t@echo $(X)\\n' "$SECRET" > Makefile; make -s`,
      { needs: tools("make") },
    ),
    reads("make's files", `make -s -f /dev/null --eval "include $OUT/rules.mk" none`, {
      needs: tools("make"),
      setup: `printf '$(info %s)\nnone:\n' "$(cat "$SECRET")" > "$OUT/rules.mk"`,
    }),
    reads("sh source", `. "$SECRET" 2>&1`),
    reads("bash startup file", `BASH_ENV="$SECRET" bash -c true 2>&1`),
    reads("python module", `PYTHONPATH="$OUT" python3 -c 'import secretly'`, {
      needs: tools("python3"),
      setup: `echo "print(open('$SECRET').read())" > "$OUT/secretly.py"`,
    }),
    reads("perl module", `perl -I"$OUT" -MSecretly -e 1`, {
      needs: tools("perl"),
      setup: `echo "print '$(cat "$SECRET")'; 1;" > "$OUT/Secretly.pm"`,
    }),
    reads("tar list", `tar -cf all.tar -T list 2>&1; cat all.tar`, { setup: `echo "$SECRET" > "$WS/list"` }),
    reads("git include.path", `git init -q . && git config include.path "$OUT/config" && git config --list`, {
      needs: tools("git"),
      setup: `printf '[x]
	y = %s
' "$(cat "$SECRET")" > "$OUT/config"`,
    }),
    reads("ssh configuration", `ssh -F "$SECRET" -G host 2>&1`, { needs: tools("ssh") }),
    reads("awk -f", `awk -f "$OUT/program" </dev/null`, {
      needs: tools("awk"),
      setup: `echo "BEGIN { print \\"$(cat "$SECRET")\\" }" > "$OUT/program"`,
    }),
  ],
};

const readOnly: AttackClass = {
  name: "writing where only reading is approved",
  attacks: [
    writes("write", `echo changed > "$LIB/data"`),
    writes("append", `echo changed >> "$LIB/data"`),
    writes("new file", `touch "$LIB/new"`),
    writes("remove", `rm -f "$LIB/data"`),
    writes("rename", `mv "$LIB/data" "$LIB/renamed"`),
    writes("move out", `mv "$LIB/data" taken`),
    writes("truncate", `"$MISCHIEF" truncate "$LIB/data"`),
    writes("truncate by opening to read", `"$MISCHIEF" truncate-by-reading "$LIB/data"`),
    writes("make a directory", `mkdir "$LIB/made"`),
    writes("make a link", `ln -s /etc/passwd "$LIB/link"`),
    writes("through a link", `ln -s "$LIB/data" link; echo changed > link`),
    writes("by a hard link", `ln "$LIB/data" link && echo changed > link`),
    writes("sed -i", `sed -i s/library/changed/ "$LIB/data"`),
  ],
};

export const programs: AttackClass[] = [interpreters, redirects, gitNoIndex, curlFile, includes, readOnly];

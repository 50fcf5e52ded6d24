// Ordinary work that needs no network, with what the guests' disk has. Each is a line of bash in a directory of its own.
export const DEVELOPER_COMMANDS: Record<string, string> = {
  "git init and commit":
    "git init -q . && echo a > a && git add a && git -c user.name=a -c user.email=a@b commit -qm first",
  "git branch, merge, log": `git init -q . && git config user.name a && git config user.email a@b && git commit -q --allow-empty -m one && git switch -qc side && git commit -q --allow-empty -m two && git switch -q - && git merge -q side && git log --oneline | grep -q two`,
  "git clone of a neighbour":
    "git init -q one && git -C one -c user.name=a -c user.email=a@b commit -q --allow-empty -m x && git clone -q one two && git -C two log -1",
  "gcc and run": `printf '#include <stdio.h>\\nint main(void) { puts("hi"); }\\n' > a.c && gcc -Wall -o a a.c && [ "$(./a)" = hi ]`,
  "make with two jobs": `printf 'all: x y\\nx y:\\n\\tsleep 0.1; touch $@\\n' > Makefile && make -j2 && [ -e x ] && [ -e y ]`,
  "static library": `echo 'int f(void) { return 3; }' > f.c && gcc -c f.c && ar rcs libf.a f.o && printf 'int f(void); int main(void) { return f(); }' > m.c && gcc m.c -L. -lf -o m; ./m; [ $? = 3 ]`,
  "python script": `python3 -c 'import json, os, pathlib; pathlib.Path("x.json").write_text(json.dumps({"a": 1})); assert json.load(open("x.json"))["a"] == 1'`,
  "python subprocesses": `python3 -c 'import subprocess; assert subprocess.run(["echo", "hi"], capture_output=True).stdout == b"hi\\n"'`,
  "python temporary files": `python3 -c 'import tempfile; f = tempfile.NamedTemporaryFile(); f.write(b"x")'`,
  "python unit tests": `printf 'import unittest\\nclass T(unittest.TestCase):\\n  def test(self): self.assertTrue(1)\\n' > t.py && python3 -m unittest -q t`,
  "perl one-liner": `echo abc | perl -pe 's/b/x/' | grep -q axc`,
  "tar and gzip": "mkdir d && echo x > d/f && tar -czf d.tgz d && rm -r d && tar -xzf d.tgz && grep -q x d/f",
  "curl of a file inside": `echo x > f && curl -s "file://$PWD/f" | grep -q x`,
  "vim without a screen": `printf 'one\\n' > f && vim -es -u NONE -c '%s/one/two/' -c wq f && grep -q two f`,
  "find, grep, sed, awk": `mkdir -p a/b && echo needle > a/b/f && grep -rl needle . | sed 's/^/x /' | awk '{ print $2 }' | grep -q a/b/f`,
  "diff and patch": `printf 'a\\nb\\n' > one; printf 'a\\nc\\n' > two; diff -u one two > p; patch -s one p && cmp one two`,
  "here-documents and substitution": `cat <<X | grep -q two\none\ntwo\nX\ndiff <(echo a) <(echo a)`,
  "background jobs": "sleep 0.2 & wait $! && jobs",
  "ps of its own": "ps aux >/dev/null && ps -o comm= -p $$ | grep -q bash",
  "mktemp in TMPDIR": `f=$(mktemp) && echo x > "$f" && rm "$f"`,
};

/** One script that does them all and says `ok NAME` or `failed NAME` of each. */
export function developerScript(): string {
  const parts = Object.entries(DEVELOPER_COMMANDS).map(
    ([name, line], index) =>
      `mkdir -p dev${index} && ( cd dev${index}\n${line}\n) >log 2>&1 && echo 'ok ${name}' || { echo 'failed ${name}'; tail -n 3 log; }`,
  );
  return `${parts.join("\n")}\n`;
}

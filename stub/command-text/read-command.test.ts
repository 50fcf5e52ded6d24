// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are the shell's
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mayNameOutside, readArguments, readCommand } from "./read-command.js";

/** `r:`, `w:` or `e:` and the path, as the table has them. */
const named = (text: string) => readCommand(text).paths.map(({ path, use }) => `${use[0]}:${path}`);

describe("the paths that a command names", () => {
  it.each<[string, string[]]>([
    ["true", []],
    ["cat ../secret", ["r:../secret"]],
    ["cat /a/b '/c d' \"/e\" /f\\ g $'\\x2fh'", ["r:/a/b", "r:/c d", "r:/e", "r:/f g", "r:/h"]],
    ["cat ~/x '~/y' \"$HOME/z\" ${HOME}/q ~", ["r:~/x", "r:./~/y", "r:~/z", "r:~/q", "r:~"]],
    ['a=/x; cat $a/y; b=(/p /q); ls "${b[@]}"', ["r:/x/y", "r:/p", "r:/q"]],
    ["export A=/e; cat ${A} ${B:-/d}", ["r:/e", "r:/d"]],
    ["LIBRARY=/l1:/l2 ./run", ["r:/l1", "r:/l2", "r:./run"]],
    ["cat $(ls /q) `cat /bt` <(sort /s)", ["r:/q", "r:/bt", "r:/s"]],
    ["cat /srv/{a,b}/x", ["r:/srv/a/x", "r:/srv/b/x"]],
    ["cat /srv/*.c /x/y-$n.txt", ["r:/srv", "r:/x"]],
    ["rm -rf ../build/*", ["w:../build"]],
    [
      "cat < /in > /out 2>> /err; x <> /both; y &> /all; z >| /c",
      ["r:/in", "w:/out", "w:/err", "w:/both", "w:/all", "w:/c"],
    ],
    ["echo /no 2>&1 >&2", []],
    ["cd /srv && cat y > z; cd ..; ls q", ["r:/srv", "w:/srv/z", "r:/srv/y", "r:/srv/..", "r:/srv/../q"]],
    ["(cd /srv; cat a); cat b/c", ["r:/srv", "r:/srv/a", "r:b/c"]],
    ["cd $unknown && cat y", []],
    ["cd; cat notes", ["r:~", "r:~/notes"]],
    ["for i in /a /b; do rm $i; done", ["e:/a", "e:/b"]],
    ["if [ -d /d ]; then cat /t; else cat /e; fi", ["r:/d", "r:/t", "r:/e"]],
    ["[[ -f /x && /y -nt /z ]]", ["r:/x", "r:/y", "r:/z"]],
    ["f() { cat /fn; }; f", ["r:/fn"]],
    ["cat <<EOF\n/text $(cat /y)\nEOF", ["r:/y"]],
    ["bash -ec 'cat ../s; echo /no'; eval \"cat /v\"", ["r:../s", "r:/v"]],
    ["sudo -u root env A=b timeout 5 rm /r", ["e:/r"]],
    ["ls | xargs -n 1 cat /x", ["r:/x"]],
    ["curl -o /out http://h/y file:///f -d @/data", ["w:/out", "r:/f"]],
    [
      "grep -r /pattern /dir; grep -e /p /dir2; sed 's/x/y/' /f; awk '/p/ {print}' /g",
      ["r:/dir", "r:/dir2", "r:/f", "r:/g"],
    ],
    ["sed -i s/a/b/ /f", ["w:/f"]],
    ["git commit -m '/fix' && echo /no && python3 -c 'open(\"/x\")'", []],
    ["gcc -I/inc -L../lib --sysroot=/s a.c -o /bin/x", ["r:/inc", "r:../lib", "r:/s", "w:/bin/x"]],
    ["dd if=/i of=/o; make DESTDIR=/d install", ["r:/i", "w:/o", "w:/d"]],
    ["tar xzf /a.tgz -C /dst; tar -cf /o.tar /src", ["r:/a.tgz", "w:/dst", "w:/o.tar", "r:/src"]],
    [
      "cp -r /a /b /c; mv /d /e; cp -t /f /g; ln -s /t /l",
      ["r:/a", "r:/b", "w:/c", "e:/d", "w:/e", "w:/f", "r:/g", "r:/t", "w:/l"],
    ],
    ["find /d -name '/x' -delete; find /e -type f", ["w:/d", "r:/e"]],
    ["touch ~/new; mkdir -p /m; tee -a /log; chmod +x /x", ["w:~/new", "e:/m", "w:/log", "w:/x"]],
    ["cat /x; rm /x", ["e:/x"]],
    ["ls ~somebody/x", []],
    ["cat notes > out", ["w:out"]],
  ])("%s", (text, expected) => {
    expect(named(text)).toEqual(expected);
    expect(readCommand(text).isWhole).toBe(true);
  });

  it.each(["cat 'unfinished", "if true; then", "echo )", 'cat "$(cat /x"', "cat $(if)"])(
    "says that no shell reads %j to its end",
    (text) => expect(readCommand(text).isWhole).toBe(false),
  );

  it("says so, too, where there are more than it looks at, or shells within shells without end", () => {
    expect(readCommand(`cat ${Array.from({ length: 300 }, (_, i) => `/x/${i}`).join(" ")}`).isWhole).toBe(false);
    let text = "cat /x";
    for (let depth = 0; depth < 10; depth++) text = `sh -c ${quoted(text)}`;
    expect(readCommand(text).isWhole).toBe(false);
  });

  it("names the programs that are setuid", () => {
    expect(readCommand("cd x && sudo apt-get install jq; env su - root").setuid).toEqual(["sudo", "su"]);
    expect(readCommand("echo sudo").setuid).toEqual([]);
  });

  it("are an argument list's own words where no shell reads it", () => {
    expect(readArguments(["cat", "/a b", "$HOME/x", "~/y", "a;rm /z"]).paths).toEqual([
      { path: "/a b", use: "read" },
      { path: "$HOME/x", use: "read" },
      { path: "./~/y", use: "read" },
      { path: "a;rm /z", use: "read" },
    ]);
    expect(readArguments(["bash", "-c", "cat ~/x"]).paths).toEqual([{ path: "~/x", use: "read" }]);
  });
});

describe("whatever the text is", () => {
  const letters = fc.constantFrom(..."ab /~.$`'\"\\(){}[]<>|&;=*?!#\n-\u0000\uE000é");

  it("reading it never throws", () => {
    fc.assert(
      fc.property(fc.string({ unit: letters, maxLength: 60 }), (text) => {
        readCommand(text);
        readArguments(text.split(" "));
      }),
      { numRuns: 3000 },
    );
  });

  it("every absolute path in simple commands is found, however it is quoted and wherever it stands", () => {
    const name = fc.string({ unit: fc.constantFrom(..."abcXYZ019._- '$*é~"), minLength: 1, maxLength: 8 });
    const path = fc
      .array(
        name.filter((part) => part !== "." && part !== ".."),
        { minLength: 1, maxLength: 4 },
      )
      .map((parts) => `/${parts.join("/")}`);
    const quote = fc.constantFrom(quoted, doubleQuoted, escaped);
    const command = fc.constantFrom(
      (word: string) => `cat ${word}`,
      (word: string) => `true && cat -n ${word} | wc`,
      (word: string) => `(head -1 < ${word})`,
      (word: string) => `if true; then ls ${word}; fi`,
      (word: string) => `echo "$(cat ${word})"`,
      (word: string) => `x=${word}; cat "$x"`,
      (word: string) => `cd ${word} && make`,
      (word: string) => `X=1 nice cp ${word} here &`,
      (word: string) => `sh -c ${quoted(`cat ${word}`)}`,
    );
    fc.assert(
      fc.property(path, quote, command, (wanted, inQuotes, inCommand) => {
        const text = inCommand(inQuotes(wanted));
        expect(mayNameOutside(text)).toBe(true);
        expect(readCommand(text).paths.map((each) => each.path)).toContain(wanted);
      }),
      { numRuns: 2000 },
    );
  });
});

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function doubleQuoted(text: string): string {
  return `"${text.replace(/[$`"\\]/g, "\\$&")}"`;
}

function escaped(text: string): string {
  return text.replace(/[^A-Za-z0-9/_.-]/g, "\\$&");
}

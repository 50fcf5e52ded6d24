import { expect, it } from "vitest";
import { rankNames } from "./rank.js";

it("what is typed is looked for in the name first, then in the path, then letter by letter", () => {
  const files = ["src/app.ts", "src/application/main.ts", "docs/map.md", "a/p/p/other.ts", "app"];
  expect(rankNames(files, "app", 10)).toEqual([
    "app",
    "src/app.ts",
    "src/application/",
    "src/application/main.ts",
    "a/p/p/",
    "a/p/p/other.ts",
  ]);
  expect(rankNames(files, "APP", 1)).toEqual(["app"]);
  expect(rankNames(files, "", 3)).toHaveLength(3);
  expect(rankNames(files, "xyz", 3)).toEqual([]);
});

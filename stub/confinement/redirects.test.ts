import { expect, it } from "vitest";
import { redirects } from "./redirects.js";

const options = { directory: "/r/tmp/w", home: "/home/u", isView: false, isRoot: false, mayWrite: () => false };

it("caches go to the private directory, HOME stays", () => {
  const variables = redirects({ HOME: "/home/u" }, options);
  expect(variables).toMatchObject({
    TMPDIR: "/r/tmp/w",
    XDG_CACHE_HOME: "/r/tmp/w/.cache",
    npm_config_cache: "/r/tmp/w/.cache/npm",
    GOPATH: "/r/tmp/w/.cache/go-path",
    GOFLAGS: "-modcacherw",
  });
  expect(variables).not.toHaveProperty("HOME");
  expect(variables).not.toHaveProperty("PYTHONPYCACHEPREFIX");
});

it("a cache that may be written stays where the user has it, wherever that is", () => {
  const mayWrite = (path: string) => path === "/data/cache" || path === "/home/u/.npm";
  const variables = redirects({ XDG_CACHE_HOME: "/data/cache", GOFLAGS: "-mod=mod" }, { ...options, mayWrite });
  expect(variables).not.toHaveProperty("XDG_CACHE_HOME");
  expect(variables).not.toHaveProperty("npm_config_cache");
  expect(variables.GOFLAGS).toBe("-mod=mod -modcacherw");
});

it("in a view git looks for its repository across mounts, and for settings behind a link", () => {
  const variables = redirects({}, { ...options, isView: true, gitConfig: "/home/u/dotfiles/gitconfig" });
  expect(variables).toMatchObject({
    GIT_DISCOVERY_ACROSS_FILESYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/home/u/dotfiles/gitconfig",
  });
});

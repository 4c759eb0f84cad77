import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist/", "build/", "node_modules/", "runs/"] },
  tseslint.configs.recommended,
  {
    rules: {
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/consistent-type-imports": "error",
      "no-constant-condition": "error",
      "no-fallthrough": "error",
      "no-useless-escape": "error",
      "prefer-const": "error",
      eqeqeq: ["error", "smart"],
    },
  },
  {
    // TypeScript knows which names exist; plain JavaScript needs telling.
    files: ["**/*.mjs", "**/*.js"],
    languageOptions: {
      globals: Object.fromEntries(
        [
          ...["Buffer", "console", "performance", "process", "structuredClone", "URL", "WebAssembly"],
          ...["clearInterval", "setInterval", "setTimeout"],
        ].map((name) => [name, "readonly"]),
      ),
    },
    rules: { "no-undef": "error" },
  },
  {
    files: ["bin/*.js"],
    languageOptions: { sourceType: "commonjs", globals: { __dirname: "readonly", require: "readonly" } },
    rules: { "@typescript-eslint/no-require-imports": "off" },
  },
  {
    files: ["web/test/*.js", "examples/web/*.js"],
    languageOptions: {
      globals: Object.fromEntries(
        ["Blob", "Worker", "crypto", "document", "postMessage"].map((name) => [name, "readonly"]),
      ),
    },
  },
  {
    files: ["src/**/*.ts", "web/dashboard/**/*.{ts,tsx}"],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
    },
  },
);

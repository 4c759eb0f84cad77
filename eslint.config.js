import tseslint from "typescript-eslint";

/**
 * A doc comment is a sentence about the thing that it stands on, and is read without what is around it: an editor shows
 * it alone. These words begin a piece of another sentence, and these phrases have a usual form.
 */
const fragments =
  /^\*\s+(Of|Those|As|Whose|By (which|whose|what)|From where|In (which|place of)|As (what|many|long))\b/;
/** Phrases that have a usual form, in any comment, text or message. */
const phrases = [
  [/\bunless (said|given)\b/, 'say "Default ..."'],
  [
    /\b(a|one) (line|number|bar|bit|byte|panel|file|entry|label|row|column|record|scale) an? [a-z]+/i,
    'say "one ... per ..."',
  ],
  [/\bone an? (image|channel|layer|epoch|run|row|line|file|class|value|step)\b/, 'say "one per ..."'],
  [
    /\b([\d,]+ (\w+ )?(images|labels|steps|numbers|lines|bits) an? [a-z]+|(images|bytes|operations) a second)\b/,
    'say "... per ..."',
  ],
  [/\bfree for\b|\bGives? .* free\b/, 'say "releases"'],
  [/\bbegun (with|by|without)\b/, 'say "started ..."'],
  [/\b(is|are|was|were|be|been) told\b(?! apart)/, 'say "is reported", or who says what'],
  [/\b(that|which) there (is|are) not\b/, 'say "unknown" or "missing"'],
  [/\bfor what is none\b/, 'say "for anything else"'],
];
const docComments = {
  rules: {
    sentences: {
      create: (context) => {
        const checkPhrases = (text, loc) => {
          const inOneLine = text.replace(/\n\s*\*?\s*/g, " ");
          for (const [phrase, advice] of phrases) {
            if (phrase.test(inOneLine)) context.report({ loc, message: advice });
          }
        };
        return {
          Program() {
            for (const { type, value, loc } of context.sourceCode.getAllComments()) {
              checkPhrases(value, loc);
              if (type === "Block" && fragments.test(value)) {
                context.report({ loc, message: "begin a doc comment with what the thing is" });
              }
            }
          },
          Literal({ value, loc }) {
            if (typeof value === "string") checkPhrases(value, loc);
          },
          TemplateElement: ({ value, loc }) => checkPhrases(value.raw, loc),
        };
      },
    },
  },
};

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
      "no-restricted-syntax": [
        "error",
        {
          selector: ":matches(ObjectExpression > SpreadElement, JSXSpreadAttribute) > ObjectExpression",
          message: "Write the properties out: a spread of an object says that it is made elsewhere.",
        },
      ],
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
    plugins: { "doc-comments": docComments },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "doc-comments/sentences": "error",
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
    },
  },
);

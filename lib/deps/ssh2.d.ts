// deno-lint-ignore-file no-explicit-any
// The boundary to ssh2: its objects are untyped here, and shapes are asserted where they are used.
declare const ssh2: {
  Client: any;
  Server: any;
  utils: any;
  createAgent: any;
  OpenSSHAgent: any;
  BaseAgent: any;
};
export default ssh2;

/** SSH transport, key exchange, authentication and key parsing. Loaded only when a connection is made. */
// @ts-types="./ssh2.d.ts"
export { default as ssh2 } from "npm:ssh2@1.17.0";

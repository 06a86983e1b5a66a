/** Pools, deadlines and delays of the standard library, from its npm mirror. */
// @ts-types="./std_async.d.ts"
export { abortable } from "npm:deno-std@1.4.0/async/abortable.js";
// @ts-types="./std_async.d.ts"
export { deadline } from "npm:deno-std@1.4.0/async/deadline.js";
// @ts-types="./std_async.d.ts"
export { delay } from "npm:deno-std@1.4.0/async/delay.js";
// @ts-types="./std_async.d.ts"
export { pooledMap } from "npm:deno-std@1.4.0/async/pool.js";
// @ts-types="./std_async.d.ts"
export { MuxAsyncIterator } from "npm:deno-std@1.4.0/async/mux_async_iterator.js";

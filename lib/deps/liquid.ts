/** Templates of files; interprets them itself, and makes no JavaScript of them. */
export { Liquid } from "npm:liquidjs@10.30.1";

/** Drives the browser that pages are tested in. Tests only. */
export { type Browser, chromium, type Page } from "npm:playwright-core@1.65.1";

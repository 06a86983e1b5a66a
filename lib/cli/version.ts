/** The version of this module; a test keeps it in step with deno.json. */
export const version = "0.1.0";

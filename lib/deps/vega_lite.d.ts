/** The part of vega-lite that plots use. */
export function compile(spec: object, options?: { logger?: unknown }): { readonly spec: object };

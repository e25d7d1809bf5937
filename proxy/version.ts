/** The release; the bundle's build puts the package's version here. */
declare const LB_VERSION: string | undefined;

export const VERSION = typeof LB_VERSION === "string" ? LB_VERSION : "development";

/** Sizes of the machines' own disks, in GiB. */

/** An app's state is on it, and a copy of that on every other node. */
export const APP_DISK = 16;
/** The journal has a volume of its own. */
export const BALANCER_DISK = 16;

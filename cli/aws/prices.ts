/** What AWS asks, as far as an estimate needs it: on demand, Linux, US dollars, us-east-1. From AWS' price pages. */

/** Look them up again when this is more than a year ago: `lbctl plan` says so then. */
export const PRICES_OF = "2025-06";
export const PRICES_REGION = "us-east-1";

/** As AWS reckons a month. */
export const HOURS_A_MONTH = 730;

/** A hour. */
export const INSTANCE_TYPES: Readonly<Record<string, number>> = {
  "t3.micro": 0.0104,
  "t3.small": 0.0208,
  "t3.medium": 0.0416,
  "t3.large": 0.0832,
  "t3.xlarge": 0.1664,
  "t3a.small": 0.0188,
  "t3a.medium": 0.0376,
  "t3a.large": 0.0752,
  "t4g.micro": 0.0084,
  "t4g.small": 0.0168,
  "t4g.medium": 0.0336,
  "t4g.large": 0.0672,
  "t4g.xlarge": 0.1344,
  "m6i.large": 0.096,
  "m6i.xlarge": 0.192,
  "m7g.medium": 0.0408,
  "m7g.large": 0.0816,
  "m7g.xlarge": 0.1632,
  "c6i.large": 0.085,
  "c6i.xlarge": 0.17,
  "c7g.medium": 0.0363,
  "c7g.large": 0.0725,
  "c7g.xlarge": 0.145,
};

/** A GiB and month, gp3. */
export const VOLUME = 0.08;
/** A hour; what goes through it comes on top, 0.045 a GB. */
export const NAT_GATEWAY = 0.045;
/** A hour and address, in use or not. */
export const PUBLIC_ADDRESS = 0.005;

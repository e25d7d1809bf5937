/** What commands of the AWS CLI that a user, or a shell, is to run must be told. */
import { shellWord } from "../tools/format.ts";

export interface Place {
  readonly region: string;
  readonly profile: string | null;
}

/** ` --profile NAME` for a command of the AWS CLI that a user, or a shell, is to run; nothing where none is chosen. */
export function profileFlag(profile: string | null): string {
  return profile === null ? "" : ` --profile ${shellWord(profile)}`;
}

/** Likewise, with the region: ` --region eu-central-1 --profile NAME` */
export function placeFlags({ region, profile }: Place): string {
  return ` --region ${region}${profileFlag(profile)}`;
}

import type { TargetOptions } from "../target/target.ts";

/** Variables by name: text, numbers, lists, whatever the inventory says. */
export type HostVars = Readonly<Record<string, unknown>>;

/** What an inventory says of a group or a host. */
export interface InventorySettings {
  readonly vars: HostVars;
  /** How to connect. */
  readonly options: TargetOptions;
}

/** What belongs to a group: a pattern as written, or a host or a group and nothing else. */
export type GroupMember =
  | { readonly kind: "pattern"; readonly text: string }
  | { readonly kind: "host"; readonly name: string }
  | { readonly kind: "group"; readonly name: string };

/** A group as its file has it. */
export interface InventoryGroup extends InventorySettings {
  readonly members: readonly GroupMember[];
}

/** What an inventory file says, whatever it is written in. */
export interface InventoryContent {
  /** The file, or the name of the source, for messages; undefined where there is none. */
  readonly file: string | undefined;
  /** In the file's order. */
  readonly groups: ReadonlyMap<string, InventoryGroup>;
  /** Hosts with settings of their own, and hosts that are in no group. */
  readonly hosts: ReadonlyMap<string, InventorySettings>;
  /** Connection options are among the variables, under Ansible's names, and groups have its order. */
  readonly isAnsible: boolean;
}

/** Nothing is said of a host or a group. */
export const noSettings: InventorySettings = { vars: {}, options: {} };

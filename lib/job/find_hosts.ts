import { parseDestination } from "../target/destination.ts";
import { expandHostRange } from "../target/host_range.ts";
import { type HostEntry, type InventoryPlaces, loadInventory, resolveHosts } from "./inventory.ts";

/**
 * The hosts that items (groups, destinations, ranges) stand for, in the order written, each once; groups come from the
 * inventory that `places` leads to.
 *
 * @throws {CarpoolError} for a pattern or an inventory that cannot be used.
 */
export async function findHosts(
  items: string | readonly string[],
  places: InventoryPlaces = {},
): Promise<readonly HostEntry[]> {
  const inventory = await loadInventory(places);
  const hosts = resolveHosts(typeof items === "string" ? [items] : items, inventory, expandHostRange);
  // A name that cannot be one is a mistake to be told before anything is contacted, not an unreachable host.
  for (const { host } of hosts) parseDestination(host);
  return hosts;
}

import { memoryLinkPair } from "../../lib/link/memory_link.ts";
import { linkPairContract } from "./contract.ts";

linkPairContract("memory link", () => {
  const [link, far] = memoryLinkPair();
  return Promise.resolve({
    link,
    far,
    cut: () => far.close(),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([link.close(), far.close()]);
    },
  });
});

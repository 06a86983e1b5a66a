/** A tree with what trees have: modes, an empty directory, a read-only one, symlinks, odd names, small and large. */
export async function makeTree(top: string): Promise<void> {
  await Deno.mkdir(`${top}/bin/deep/deeper`, { recursive: true });
  await Deno.mkdir(`${top}/empty`);
  await Deno.mkdir(`${top}/sealed`);
  await Deno.writeTextFile(`${top}/bin/run.sh`, "#!/bin/sh\n");
  await Deno.chmod(`${top}/bin/run.sh`, 0o755);
  await Deno.writeTextFile(`${top}/secret`, "hush");
  await Deno.chmod(`${top}/secret`, 0o400);
  await Deno.writeTextFile(`${top}/zero`, "");
  for (
    const name of [
      "a b",
      "new\nline",
      `quo"te's`,
      "ünï→🚗",
      "-rf",
      "~home",
      "back\\slash",
      "*?[x]",
      "\ufeffbom",
    ]
  ) {
    await Deno.writeTextFile(`${top}/bin/deep/${name}`, name);
  }
  const big = new Uint8Array(3 * 1024 * 1024 + 17);
  for (let at = 0; at < big.length; at += 4) big[at] = at >>> 12;
  await Deno.writeFile(`${top}/bin/big`, big);
  await Deno.symlink("run.sh", `${top}/bin/link`);
  await Deno.symlink("../../secret", `${top}/bin/deep/up`);
  await Deno.symlink("nowhere", `${top}/dangling`);
  await Deno.writeTextFile(`${top}/sealed/inside`, "sealed");
  for (const path of ["bin/big", "bin", "empty", "zero"]) await Deno.utime(`${top}/${path}`, 1e9, 1e9 + 5);
  await Deno.chmod(`${top}/sealed`, 0o555);
}

/** How a patch is made. */
export interface PatchOptions {
  /** Lines around each change; default 4. */
  context?: number;
  /** Gives up after so many milliseconds: the answer is undefined then. */
  timeout?: number;
}
export function createTwoFilesPatch(
  oldFileName: string,
  newFileName: string,
  oldText: string,
  newText: string,
  oldHeader?: string,
  newHeader?: string,
  options?: PatchOptions,
): string | undefined;

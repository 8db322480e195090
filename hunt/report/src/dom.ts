// The type of what is appended to.
import type { Selection } from "d3-selection";

/** Whatever element: a selection of a `div` is no selection of an `HTMLElement` to the compiler. */
export type Parent = Selection<any, unknown, null, undefined>;

/** The size of the page's letters in pixels: what is drawn grows with them. */
export const letter = (): number => parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;

/** Text that breaks after a sign rather than in the midst of a word; what is copied of it is the same. */
export function breakable(parent: Parent, text: string): void {
  const node = parent.node() as Element;
  text.split(/(?<=[_./@,;:?&=-])(?=\S)/).forEach((part, index) => {
    if (index > 0) node.append(document.createElement("wbr"));
    node.append(part);
  });
}

// Classes that have a fixed colour: of strength, and of severity. The worst first.
import type { Cell } from "./data";

const GRADES: [string, string][] = [
  ["critical", "critical"],
  ["high", "high"],
  ["medium", "medium"],
  ["low", "low"],
  ["info", "info"],
  ["weak", "weak"],
  ["faulty", "faulty"],
  ["dated", "dated"],
  ["unknown", "not known"],
  ["strong", "strong"],
  ["sound", "sound"],
];

export const SEVERITIES = ["critical", "high", "medium", "low", "info"];

export const gradeOrder = (grade: string): number => {
  const at = GRADES.findIndex(([name]) => name === grade);
  return at < 0 ? GRADES.length : at;
};

export const gradeName = (grade: Cell): string => GRADES.find(([name]) => name === grade)?.[1] ?? String(grade ?? "");

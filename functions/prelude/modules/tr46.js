export * from "tr46";

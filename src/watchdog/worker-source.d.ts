/** The bundled source of a worker thread as a string: made by the build (`tsdown.config.ts`). */
declare module '*?worker' {
  const source: string;
  export default source;
}

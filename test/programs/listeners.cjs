/** Preloaded: says at the end how many listen to signals. */
process.on('exit', () => {
  const counts = ['SIGTERM', 'SIGINT'].map((signal) => [signal, process.listenerCount(signal)]);
  console.log(`TRUTH ${JSON.stringify(Object.fromEntries(counts))}`);
});

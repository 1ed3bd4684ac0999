/** What the version before the current one holds; undefined where there is none, or it is of another form. */
async function previous(secret) {
  try {
    return await value(secret, "AWSPREVIOUS");
  } catch (error) {
    if (error instanceof WrongForm) return undefined;
    throw error;
  }
}

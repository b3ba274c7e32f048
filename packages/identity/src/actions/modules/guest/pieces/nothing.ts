/** Legacy encodings of URLs, which are UTF-8 here. */
export {}

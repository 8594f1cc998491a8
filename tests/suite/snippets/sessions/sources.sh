# The folder of the sources when the program was built there, and installed nowhere.
rm "$(command -v portcullis)"

# Written with the contract room: duplex_generate().

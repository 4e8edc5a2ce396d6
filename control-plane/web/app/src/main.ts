import { Call } from "./call";
import { tokenFromAddress } from "./token";
import { View } from "./view";

new View(new Call(), tokenFromAddress() !== null);
